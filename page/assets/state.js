// What is looked at: a range of time and a process. It is kept in the fragment, so that a link leads to the same view.

/** @typedef {string|number|boolean|null} Cell */
/** @typedef {{name: number, minor: boolean, points: number[]}} Series */
/** @typedef {{id: string, title: string, unit: string, level: boolean, rate: string, minor: string|null, top: number, series: Series[]}} Lane */
/** @typedef {{id: string, unit: string, frames: string[], parents: number[], functions: number[], cells: number[]}} Graph */
/** @typedef {{id: string, low: number, ranges: number, cells: number[]}} Heat */
/** @typedef {{columns: [string, string, boolean][], rows: Cell[][], total: number, begin: number|null, shift: number, length: number|null, who: (number|null)[]|null}} Table */
/** @typedef {{first: string, shift: number, width: number, slots: number, coarse: number, colours: number, series: number, names: string[], lanes: Lane[], flames: Graph[], heats: Heat[], tables: Record<string, Table>}} Data */

/** An element that the template has. @param {string} id @returns {any} */
function byId(id) {
  return document.getElementById(id);
}

/** @type {Data} */
const data = JSON.parse(byId("data").textContent);

/** What is looked at; a range in stretches, or none for everything. @type {{from: number|null, to: number|null, who: number|null}} */
const state = { from: null, to: null, who: null };

/** @type {(() => void)[]} */
const followers = [];

/** The first stretch that is looked at. */
function firstSlot() {
  return state.from === null ? 0 : state.from;
}

/** The stretch at which what is looked at ends. */
function lastSlot() {
  return state.to === null ? data.slots : state.to;
}

/** Whether a part of the time is looked at. */
function isRange() {
  return state.from !== null;
}

/** Seconds from the beginning on. @param {number} slot */
function seconds(slot) {
  return (slot * data.width) / 1e9;
}

/** Looks at something else. A range that is turned round is put right; one of nothing is none.
 * @param {{from?: number|null, to?: number|null, who?: number|null}} change */
function look(change) {
  Object.assign(state, change);
  if (state.from !== null && state.to !== null) {
    const [from, to] = [Math.min(state.from, state.to), Math.max(state.from, state.to)];
    // Whole stretches: what lies in a stretch is not told apart.
    state.from = Math.max(0, Math.min(data.slots - 1, Math.floor(from + 1e-6)));
    state.to = Math.max(state.from + 1, Math.min(data.slots, Math.ceil(to - 1e-6)));
    if (state.from === 0 && state.to === data.slots) state.from = state.to = null;
  } else {
    state.from = state.to = null;
  }
  if (state.who !== null && !(state.who >= 0 && state.who < data.names.length)) state.who = null;
  writeFragment(null);
  for (const follower of followers) follower();
}

/** Puts what is looked at into the fragment. @param {string|null} section */
function writeFragment(section) {
  const parts = [];
  if (isRange()) parts.push(`t=${+seconds(firstSlot()).toFixed(6)},${+seconds(lastSlot()).toFixed(6)}`);
  if (state.who !== null) parts.push(`p=${encodeURIComponent(data.names[state.who])}`);
  if (section) parts.push(`s=${encodeURIComponent(section)}`);
  try {
    history.replaceState(null, "", parts.length ? `#${parts.join("&")}` : location.pathname + location.search);
  } catch {
    // A page in a sandbox has no history of its own; the view is right all the same.
  }
}

/** Looks at what the fragment says. A fragment that says nothing of the kind is the id of an element. */
function readFragment() {
  const parts = new Map(location.hash.slice(1).split("&").map((part) => {
    const [key, value] = part.split("=");
    let text = value || "";
    try { text = decodeURIComponent(text); } catch { text = ""; }
    return [key, text];
  }));
  const range = (parts.get("t") || "").split(",").map((text) => (Number(text) * 1e9) / data.width);
  const name = data.names.indexOf(parts.get("p") || "");
  const isGood = range.length === 2 && range.every(Number.isFinite) && data.slots > 0;
  look({ from: isGood ? range[0] : null, to: isGood ? range[1] : null, who: name < 0 ? null : name });
  const section = parts.get("s");
  if (section) goTo(section);
}

/** Shows an element, opening what it lies in. @param {string} id */
function goTo(id) {
  const element = document.getElementById(id);
  if (!element) return;
  for (let at = /** @type {Element|null} */ (element); at; at = at.parentElement) {
    if (at instanceof HTMLDetailsElement) at.open = true;
  }
  document.querySelector(".found > .here")?.classList.remove("here");
  if (element.matches(".found > li")) element.classList.add("here");
  element.scrollIntoView({ block: "start" });
  // What is gone to gets the focus, so that whoever does not see the page goes on reading there.
  const target = element.querySelector(":scope > summary") ?? element;
  if (target === element) element.setAttribute("tabindex", "-1");
  if (target instanceof HTMLElement) target.focus({ preventScroll: true });
  writeFragment(id);
}

/** Makes an element. @param {string} name @param {string} [className] @param {string} [text] */
function make(name, className, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

/** Makes an element of a picture. @param {string} name @param {Record<string, string|number>} attributes @param {string} [title] */
function shape(name, attributes, title) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (title !== undefined) {
    const words = document.createElementNS("http://www.w3.org/2000/svg", "title");
    words.textContent = title;
    element.append(words);
  }
  return element;
}

/** Tells those who do not see the page what changed. @param {string} text */
function say(text) {
  byId("said").textContent = text;
}
