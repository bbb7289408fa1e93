// Drives a page as its readers do, in Chromium, and says what does not hold.
//
//   node drive.mjs MODULES PAGE OUT
//
// MODULES is a folder with node_modules, OUT one for what is written. Prints JSON: what was checked, and how long
// the page took to open.
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, page_, out] = process.argv.slice(2);
const require = createRequire(resolve(modules, "here.js"));
const puppeteer = require("puppeteer-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const checks = [];
const check = (name, holds, detail = "") => checks.push({ name, holds: Boolean(holds), detail: String(detail).slice(0, 2000) });

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});
const address = pathToFileURL(resolve(page_)).href;
const times = {};

/** A page that remembers what it said and asked for. */
async function open(fragment, { width = 1440, height = 1000, colours = "light", script = true } = {}) {
  const page = await browser.newPage();
  page.said = [];
  page.asked = [];
  page.on("console", (message) => page.said.push(message.text()));
  page.on("pageerror", (error) => page.said.push(String(error)));
  page.on("request", (request) => {
    if (request.url().split("#")[0] !== address && !request.url().startsWith("data:")) page.asked.push(request.url());
  });
  await page.setJavaScriptEnabled(script);
  await page.setViewport({ width, height });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: colours }, { name: "prefers-reduced-motion", value: "reduce" }]);
  const began = performance.now();
  await page.goto(address + fragment, { waitUntil: "load" });
  page.opened = performance.now() - began;
  return page;
}

/** What the checker of accessibility finds that is serious. */
async function serious(page) {
  // The page's policy lets no other script run in it; the driver puts the checker into a world of its own.
  const world = page.mainFrame().isolatedRealm();
  await world.evaluate(`${axe}; undefined`);
  const result = await world.evaluate("axe.run(document, { resultTypes: ['violations'] })");
  return result.violations
    .filter((found) => ["serious", "critical"].includes(found.impact))
    .map((found) => `${found.id}: ${found.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`);
}

const texts = (page, selector) => page.$$eval(selector, (all) => all.map((one) => one.textContent));

// It opens.
const page = await open("");
times.open_ms = Math.round(page.opened);
await page.evaluate(() => {
  window.shift = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
});
await new Promise((done) => setTimeout(done, 300));
check("nothing jumps when it opens", (await page.evaluate(() => window.shift)) < 0.02, await page.evaluate(() => window.shift));

// What the script draws says what was there before.
const before = await texts(page, "details.report tbody td, #doings tbody td");
await page.evaluate(() => {
  document.querySelectorAll("details.report").forEach((report) => drawTable(report));
  drawDoings();
});
const after = await texts(page, "details.report tbody td, #doings tbody td");
check("the script fills tables with the same words", JSON.stringify(before) === JSON.stringify(after),
  before.map((text, index) => [text, after[index]]).filter(([a, b]) => a !== b).slice(0, 5).join("; "));
const areas = await page.$$eval("[data-lane] path", (all) => all.map((one) => one.getAttribute("d")));
await page.evaluate(() => drawLanes());
const again = await page.$$eval("[data-lane] path", (all) => all.map((one) => one.getAttribute("d")));
check("the script draws lanes as they were", JSON.stringify(areas) === JSON.stringify(again));
const rects = (root) => root.$$eval("[data-flame] rect", (all) => all.map((one) => [one.querySelector("title").textContent, Math.round(one.getAttribute("x")), one.getAttribute("y")].join("@")).sort());
const flames = await rects(page);
await page.evaluate(() => drawFlames());
const flamesAgain = await rects(page);
check("the script draws flame graphs as they were", JSON.stringify(flames) === JSON.stringify(flamesAgain),
  flames.filter((one) => !flamesAgain.includes(one)).slice(0, 3).join("; "));

// Sorting, filtering, more rows.
const name = await page.evaluate(() => {
  const has = (table) => table.rows.length > 2 && table.columns.some(([, unit]) => unit !== "text" && unit !== "moment");
  return Object.entries(data.tables).filter(([, table]) => has(table)).sort((a, b) => b[1].rows.length - a[1].rows.length)[0]?.[0];
});
if (name) {
  const report = `#r-${name}`;
  await page.evaluate((id) => goTo(id.slice(1)), report);
  const column = await page.evaluate((name) => data.tables[name].columns.findIndex(([, unit]) => unit !== "text" && unit !== "moment"), name);
  await page.click(`${report} [data-sort="${column}"]`);
  const sorted = await page.evaluate((name, column) => {
    const values = chosenRows(name, data.tables[name]).map((row) => Number(data.tables[name].rows[row][column] ?? -Infinity));
    return values.every((value, index) => index === 0 || values[index - 1] >= value);
  }, name, column);
  check("a column sorts", sorted && (await page.$eval(`${report} thead th:nth-child(${column + 1})`, (head) => head.getAttribute("aria-sort"))) === "descending");
  await page.focus(`${report} [data-sort="${column}"]`);
  await page.keyboard.press("Enter");
  check("a key turns the order round", (await page.$eval(`${report} thead th:nth-child(${column + 1})`, (head) => head.getAttribute("aria-sort"))) === "ascending");
  const all = (await page.$$(`${report} tbody tr`)).length;
  await page.type(`${report} [data-filter]`, "no such text anywhere");
  check("a filter leaves what matches", (await page.$$(`${report} tbody tr`)).length === 0 && all > 0);
  await page.$eval(`${report} [data-filter]`, (input) => { input.value = ""; input.dispatchEvent(new Event("input")); });
  const csv = await page.evaluate((name) => csv(name), name);
  check("a table is copied as CSV", csv.split("\n").length > 3, csv.slice(0, 200));
}
check("CSV has no formulas", (await page.evaluate(() => csvCell("=1+1", "text"))) === "'=1+1" && (await page.evaluate(() => csvCell('a"b,c', "text"))) === '"a""b,c"');

// A range of time: everything follows.
if (await page.$("#brush")) {
  await page.evaluate(() => goTo("time"));
  const box = await (await page.$("#brush")).boundingBox();
  const ticks = await texts(page, "#ticks span");
  const doings = await texts(page, "#doings tbody td");
  const frames = await rects(page);
  await page.mouse.move(box.x + box.width * 0.3, box.y + 60);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 60, { steps: 4 });
  check("the pointer is told exact values", (await page.$eval("#tip", (tip) => tip.textContent)).includes("+"));
  await page.mouse.up();
  const hash = await page.evaluate(() => location.hash);
  check("a range is chosen by dragging", /t=[\d.]+,[\d.]+/.test(hash), hash);
  check("the axis follows", JSON.stringify(ticks) !== JSON.stringify(await texts(page, "#ticks span")));
  check("sums follow", JSON.stringify(doings) !== JSON.stringify(await texts(page, "#doings tbody td")));
  if (frames.length > 30) check("flame graphs follow", JSON.stringify(frames) !== JSON.stringify(await rects(page)));
  const rows = await page.evaluate(() => Object.entries(data.tables).filter(([, table]) => table.begin !== null && table.rows.length > 4)
    .map(([name, table]) => [name, table.rows.length, chosenRows(name, table).length]));
  check("tables with times follow", !rows.length || rows.some(([, all, left]) => left < all), JSON.stringify(rows));
  check("commands follow", (await page.$eval("[data-command]", (code) => code.textContent)).includes("--from +"));
  check("what does not follow says so", (await texts(page, "[data-follows='none'], [data-follows='who']")).every((text) => text.includes("whole recording")));
  // The same view by its link.
  const linked = await open(hash);
  check("a link leads to the same view", JSON.stringify(await texts(linked, "#doings tbody td")) === JSON.stringify(await texts(page, "#doings tbody td")));
  await linked.close();
  await page.keyboard.press("Escape");
  check("escape leads back to everything", !(await page.evaluate(() => location.hash)).includes("t="));
  await page.type("#from", "0");
  await page.type("#to", String(await page.evaluate(() => seconds(data.slots) / 2)));
  await page.keyboard.press("Enter");
  check("a range is typed", await page.evaluate(() => isRange()));
  await page.click("#reset");
  // A process.
  await page.select("#who", "0");
  const chosen = await page.evaluate(() => data.names[0]);
  check("a process is chosen", (await page.evaluate(() => location.hash)).includes("p="), chosen);
  check("lanes follow the process", (await page.$$("[data-lane] path.chosen")).length > 0);
  await page.click("#reset");
}

// Findings.
if (await page.$(".found > li[data-at]")) {
  const id = await page.$eval(".found > li[data-at]", (finding) => finding.id);
  await page.evaluate((id) => goTo(id), id);
  check("a finding has evidence", (await page.$$(`.found details table tbody tr`)).length > 0);
  await page.click(`#${id} [data-goto]`);
  check("a finding leads to its place on the time line", await page.evaluate(() => isRange()));
  check("a finding is marked there", (await page.$$("[data-marks] line")).length > 0);
  await page.click("#reset");
}
await page.type("#search", "zzz no such words");
check("a search folds away what does not match", (await page.$$("details.report[open]")).length === 0);
await page.$eval("#search", (input) => { input.value = ""; input.dispatchEvent(new Event("input")); });
check("an empty search unfolds it again", (await page.$$("details.report[open]")).length > 0);

// Flame graphs are zoomed.
if (await page.$("[data-flame] rect")) {
  await page.evaluate(() => document.querySelector("[data-flame]").scrollIntoView());
  const flame = await page.$("[data-flame]");
  const wide = await flame.$$("rect");
  await (wide[Math.min(3, wide.length - 1)]).click();
  check("a frame is zoomed into", !(await flame.$eval("[data-zoom-out]", (button) => button.disabled)));
  await (await flame.$("[data-zoom-out]")).click();
}

// Colours, print, phone, accessibility.
const paper = () => page.$eval("body", (body) => getComputedStyle(body).backgroundColor);
const light = await paper();
check("nothing serious for those who do not see it (light)", !(await serious(page)).length, (await serious(page)).join("\n"));
await page.click("#theme");
check("the colours are turned", (await paper()) !== light);
check("nothing serious for those who do not see it (dark)", !(await serious(page)).length, (await serious(page)).join("\n"));
await page.click("#theme");
const pdf = await page.pdf({ format: "A4" });
writeFileSync(join(out, "page.pdf"), pdf);
check("it is printed", pdf.length > 20000, pdf.length);
await page.screenshot({ path: join(out, "light.png") });
for (const colours of ["light", "dark"]) {
  const phone = await open("", { width: 390, height: 844, colours });
  const wide = await phone.evaluate(() => document.documentElement.scrollWidth);
  check(`a phone does not scroll sideways (${colours})`, wide <= 390, wide);
  check(`nothing serious on a phone (${colours})`, !(await serious(phone)).length, (await serious(phone)).join("\n"));
  await phone.screenshot({ path: join(out, `phone-${colours}.png`) });
  check(`a phone says nothing (${colours})`, !phone.said.length, phone.said.join("\n"));
  await phone.close();
}
const still = await open("", { script: false });
check("without the script there are tables and pictures", (await still.$$("table.rows tbody td")).length > 0 && (await still.$$("svg path, svg rect")).length > 0);
await still.close();

check("nothing was said on the console", !page.said.length, page.said.join("\n"));
check("nothing was asked for", !page.asked.length, page.asked.join("\n"));
check("nothing ran that is not of the page", (await page.evaluate(() => window.pwned)) === undefined);
await browser.close();
console.log(JSON.stringify({ checks, times }));
