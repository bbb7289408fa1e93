// Puts the parts together: controls, search, colours, links.

function drawChooser() {
  byId("from").value = isRange() ? String(+seconds(firstSlot()).toFixed(6)) : "";
  byId("to").value = isRange() ? String(+seconds(lastSlot()).toFixed(6)) : "";
  byId("from").placeholder = "0";
  byId("to").placeholder = String(+seconds(data.slots).toFixed(3));
  byId("who").value = state.who === null ? "" : String(state.who);
  byId("reset").disabled = !isRange() && state.who === null;
  const parts = [];
  if (isRange()) parts.push(`${duration((lastSlot() - firstSlot()) * data.width)} from ${clock(firstSlot() * data.width)} UTC`);
  if (state.who !== null && state.who >= data.series) parts.push("pictures show this process among the others");
  byId("chosen").textContent = parts.join("; ");
}

/** Reads the range that somebody typed. */
function typedRange() {
  const read = (/** @type {string} */ id, /** @type {number} */ otherwise) => {
    const text = byId(id).value.trim();
    const value = Number(text);
    return text === "" || !Number.isFinite(value) ? otherwise : (value * 1e9) / data.width;
  };
  if (!byId("from").value.trim() && !byId("to").value.trim()) return look({ from: null, to: null });
  look({ from: read("from", 0), to: read("to", data.slots) });
}

/** Searches tables and findings: what has no match is folded away. */
function search() {
  const words = byId("search").value.trim().toLowerCase();
  let count = 0;
  document.querySelectorAll("details.report").forEach((element) => {
    const report = /** @type {HTMLDetailsElement} */ (element);
    const name = report.getAttribute("data-report") ?? "";
    const table = data.tables[name];
    const rows = words && table ? chosenRows(name, table).length : 0;
    if (report.dataset.wasOpen === undefined) report.dataset.wasOpen = String(report.open);
    report.open = words ? rows > 0 : report.dataset.wasOpen === "true";
    if (!words) delete report.dataset.wasOpen;
    count += rows;
    if (report.open) drawTable(report);
  });
  document.querySelectorAll(".found > li").forEach((element) => {
    const isHit = (element.textContent ?? "").toLowerCase().includes(words);
    /** @type {HTMLElement} */ (element).hidden = Boolean(words) && !isHit;
    if (words && isHit) count += 1;
  });
  say(words ? `${count} matches` : "");
}

/** Colours: those of the system until somebody chooses. */
function watchTheme() {
  const button = byId("theme");
  const isDark = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  const tell = () => button.setAttribute("aria-pressed", String(isDark()));
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    tell();
  });
  tell();
}

/** Looks at the time around a finding, and at where it is on the time line. @param {string} id */
function showFinding(id) {
  const at = Number(document.getElementById(id)?.getAttribute("data-at")) / data.width;
  const around = Math.max(5, data.slots / 20);
  look({ from: at - around, to: at + around });
  goTo("time");
}

function watchLinks() {
  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    const link = target?.closest("[data-section]");
    const section = link?.getAttribute("data-section");
    if (section) {
      event.preventDefault();
      goTo(section);
    }
    const finding = target?.closest("[data-goto]")?.getAttribute("data-goto");
    if (finding) showFinding(finding);
    const who = target?.closest(".legend .who, .lives li[data-who], .flow text[data-who]")?.getAttribute("data-who");
    if (who !== null && who !== undefined) look({ who: state.who === Number(who) ? null : Number(who) });
  });
}

/** Says in the bar which part is on the screen. */
function watchSections() {
  const links = new Map(Array.from(document.querySelectorAll(".bar nav a")).map((link) => [link.getAttribute("data-section"), link]));
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-20% 0px -70% 0px" });
  document.querySelectorAll("main > section").forEach((section) => seen.observe(section));
}

function start() {
  document.documentElement.classList.add("js");
  followers.push(drawChooser, drawLanes, drawDoings, drawFlames, drawHeats, drawTables, fade);
  watchBrush();
  watchFlames();
  watchHeats();
  watchTables();
  watchTheme();
  watchLinks();
  watchSections();
  for (const id of ["from", "to"]) byId(id).addEventListener("change", typedRange);
  byId("who").addEventListener("change", () => look({ who: byId("who").value === "" ? null : Number(byId("who").value) }));
  byId("reset").addEventListener("click", () => look({ from: null, to: null, who: null }));
  byId("search").addEventListener("input", search);
  addEventListener("hashchange", readFragment);
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && (isRange() || state.who !== null)) look({ from: null, to: null, who: null });
  });
  // What the template drew is right without a selection: nothing moves when the page opens.
  if (location.hash.includes("=")) readFragment();
  else drawChooser();
}

start();
