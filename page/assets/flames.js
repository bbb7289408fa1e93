// Flame graphs: laid out anew for the part that is looked at, and for the frame that is zoomed into.

/** The frame that a graph is zoomed into. @type {Map<string, number>} */
const zoomed = new Map();

/** What each node weighs with all below it, of the part that is looked at. @param {Graph} graph */
function weights(graph) {
  const totals = new Array(graph.parents.length).fill(0);
  const [from, to] = [firstSlot(), lastSlot()];
  for (let at = 0; at < graph.cells.length; at += 4) {
    const [node, name, slot, weight] = graph.cells.slice(at, at + 4);
    const first = slot * data.coarse;
    if (isRange() && (first + data.coarse <= from || first >= to)) continue;
    if (state.who !== null && state.who < data.series && name !== state.who) continue;
    totals[node] += weight;
  }
  for (let node = totals.length - 1; node > 0; node--) totals[graph.parents[node]] += totals[node];
  return totals;
}

/** The shade of a function: the same wherever it is called. @param {string} name */
function hue(name) {
  if (name === "all") return 6;
  let hash = 7;
  for (const byte of new TextEncoder().encode(name)) hash = (Math.imul(hash, 31) + byte) >>> 0;
  return hash % 6;
}

/** @param {Graph} graph @param {Element} figure */
function drawFlame(graph, figure) {
  const svg = figure.querySelector("svg");
  if (!svg) return;
  const totals = weights(graph);
  const find = /** @type {HTMLInputElement|null} */ (figure.querySelector("[data-find]"))?.value.toLowerCase() ?? "";
  const root = zoomed.get(graph.id) ?? 0;
  /** @type {number[][]} */
  const children = totals.map(() => []);
  for (let node = 1; node < totals.length; node++) children[graph.parents[node]]?.push(node);
  const nameOf = (/** @type {number} */ node) => graph.frames[graph.functions[node] ?? 0] ?? "";
  for (const nodes of children) nodes.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : nameOf(a) > nameOf(b) ? 1 : a - b));
  const all = Math.max(totals[root], 1);
  const groups = [];
  let deepest = 0;
  /** @type {[number, number, number][]} */
  const waiting = [];
  // The frames that lead to the one that is zoomed into stand above it in full width.
  const above = [];
  for (let node = root; node > 0; node = graph.parents[node] ?? 0) above.unshift(graph.parents[node] ?? 0);
  above.forEach((node, depth) => groups.push(frame(graph, node, nameOf(node), depth, 0, 1, totals, find)));
  waiting.push([root, above.length, 0]);
  while (waiting.length && groups.length < 2000) {
    const [node, depth, x] = waiting.pop() ?? [0, 0, 0];
    const width = totals[node] / all;
    if (width < 0.0008 || totals[node] <= 0) continue;
    deepest = Math.max(deepest, depth);
    groups.push(frame(graph, node, nameOf(node), depth, x, width, totals, find));
    let at = x;
    for (const child of children[node] ?? []) {
      waiting.push([child, depth + 1, at]);
      at += totals[child] / all;
    }
  }
  svg.replaceChildren(...groups);
  svg.setAttribute("viewBox", `0 0 1200 ${(deepest + 1) * 18}`);
  const total = figure.querySelector("[data-total]");
  if (total) total.textContent = exactValue(graph.unit, totals[0]);
  const out = /** @type {HTMLButtonElement|null} */ (figure.querySelector("[data-zoom-out]"));
  if (out) out.disabled = root === 0;
}

/** @param {Graph} graph @param {number} node @param {string} name @param {number} depth @param {number} x @param {number} width
 * @param {number[]} totals @param {string} find */
function frame(graph, node, name, depth, x, width, totals, find) {
  const group = shape("g", {});
  const percent = fixed((100 * (totals[node] ?? 0)) / Math.max(totals[0] ?? 0, 1), 1);
  const isHit = find && name.toLowerCase().includes(find);
  const title = `${name}: ${exactValue(graph.unit, totals[node] ?? 0)} (${percent} %)`;
  const box = { x: (x * 1200).toFixed(1), y: depth * 18, height: 17, width: Math.max(0.3, width * 1200 - 0.5).toFixed(1) };
  group.append(shape("rect", { class: isHit ? "hit" : `f${hue(name)}`, "data-node": node, ...box }, title));
  const room = Math.floor((width * 1200) / 6.6);
  if (room >= 4) {
    const letters = [...name];
    const label = letters.length > room ? `${letters.slice(0, room - 1).join("")}…` : name;
    const text = shape("text", { x: box.x, dx: 3, y: box.y, dy: 12.5 });
    text.textContent = label;
    group.append(text);
  }
  return group;
}

/** @param {(graph: Graph, figure: Element) => void} work */
function eachFlame(work) {
  document.querySelectorAll("[data-flame]").forEach((figure) => {
    const graph = data.flames.find((known) => known.id === figure.getAttribute("data-flame"));
    if (graph) work(graph, figure);
  });
}

function drawFlames() {
  eachFlame(drawFlame);
}

function watchFlames() {
  eachFlame((graph, figure) => {
    const name = figure.querySelector("[data-frame]");
    figure.querySelector("svg")?.addEventListener("click", (event) => {
      const rect = event.target instanceof Element ? event.target.closest("rect") : null;
      // The picture of the template has no numbers of nodes; it is drawn anew first.
      const index = rect?.getAttribute("data-node");
      if (index === null || index === undefined) return;
      zoomed.set(graph.id, Number(index));
      drawFlame(graph, figure);
      if (name) name.textContent = rect?.querySelector("title")?.textContent ?? "";
    });
    figure.querySelector("svg")?.addEventListener("pointerover", (event) => {
      if (!figure.querySelector("[data-node]")) drawFlame(graph, figure);
      const rect = event.target instanceof Element ? event.target.closest("rect") : null;
      if (name && rect) name.textContent = rect.querySelector("title")?.textContent ?? "";
    });
    figure.querySelector("[data-zoom-out]")?.addEventListener("click", () => {
      zoomed.delete(graph.id);
      drawFlame(graph, figure);
    });
    figure.querySelector("[data-find]")?.addEventListener("input", () => drawFlame(graph, figure));
  });
}
