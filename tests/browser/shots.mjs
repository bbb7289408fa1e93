// Takes pictures of a page.
//
//   node shots.mjs MODULES PAGE PICTURE [FRAGMENT] [WIDTH] [HEIGHT] [COLOURS] [OPEN]
//
// OPEN is a selector of what is clicked before, such as the evidence of a finding.
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, page_, picture, fragment = "", width = "1280", height = "800", colours = "light", opened = ""] = process.argv.slice(2);
const puppeteer = createRequire(resolve(modules, "here.js"))("puppeteer-core");
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});
const page = await browser.newPage();
await page.setViewport({ width: Number(width), height: Number(height) });
await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: colours }, { name: "prefers-reduced-motion", value: "reduce" }]);
await page.goto(pathToFileURL(resolve(page_)).href + fragment, { waitUntil: "load" });
if (opened) await page.evaluate((selector) => document.querySelector(selector)?.click(), opened);
await page.evaluate(() => document.activeElement instanceof HTMLElement && document.activeElement.blur());
await new Promise((done) => setTimeout(done, 200));
await page.screenshot({ path: picture });
await browser.close();
