// Heat maps and other pictures that follow what is looked at.

/** How dark a field is. @param {number} events @param {number} most */
function shade(events, most) {
  if (!events || !most) return 0;
  return 1 + Math.round((Math.log1p(events) / Math.log1p(most)) * 8);
}

/** What each field of a heat map has, of the process that is looked at. @param {Heat} heat */
function fields(heat) {
  /** @type {Map<number, number>} */
  const found = new Map();
  for (let at = 0; at < heat.cells.length; at += 4) {
    const [slot = 0, range = 0, name = 0, events = 0] = heat.cells.slice(at, at + 4);
    if (state.who !== null && state.who < data.series && name !== state.who) continue;
    const key = slot * 64 + range;
    found.set(key, (found.get(key) ?? 0) + events);
  }
  return found;
}

function drawHeats() {
  const [from, to] = [firstSlot() / data.coarse, lastSlot() / data.coarse];
  document.querySelectorAll("[data-heat]").forEach((figure) => {
    const heat = data.heats.find((known) => known.id === figure.getAttribute("data-heat"));
    const svg = figure.querySelector("svg");
    if (!heat || !svg) return;
    const found = fields(heat);
    const most = Math.max(0, ...found.values());
    const cells = [];
    for (const [key, events] of found) {
      const [slot, range] = [Math.floor(key / 64), key % 64];
      const place = { x: slot, y: heat.ranges - 1 - range, width: 1, height: 1 };
      cells.push(shape("rect", { class: `h${shade(events, most)}`, ...place }));
    }
    svg.replaceChildren(...cells);
    svg.setAttribute("viewBox", `${from} 0 ${to - from} ${heat.ranges}`);
  });
}

function watchHeats() {
  document.querySelectorAll("[data-heat]").forEach((figure) => {
    const heat = data.heats.find((known) => known.id === figure.getAttribute("data-heat"));
    const svg = figure.querySelector("svg");
    if (!heat || !svg) return;
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const [from, to] = [firstSlot() / data.coarse, lastSlot() / data.coarse];
      const slot = Math.floor(from + ((event.clientX - box.left) / box.width) * (to - from));
      const range = heat.ranges - 1 - Math.floor(((event.clientY - box.top) / box.height) * heat.ranges);
      const events = fields(heat).get(slot * 64 + range) ?? 0;
      const low = 2 ** (heat.low + range);
      const time = `+${duration(slot * data.coarse * data.width)} to +${duration((slot + 1) * data.coarse * data.width)}`;
      tip(`${duration(low)} to ${duration(low * 2)}\n${time}\n${grouped(events)} of them`, event);
    });
    svg.addEventListener("pointerleave", () => tip("", null));
  });
}

/** Fades what is not of the process that is looked at; says what does not follow. */
function fade() {
  const chosen = state.who === null ? null : String(state.who);
  document.querySelectorAll(".flow [data-who], .lives [data-who], .found > [data-who]").forEach((element) => {
    element.classList.toggle("faded", chosen !== null && element.getAttribute("data-who") !== chosen);
  });
  document.querySelectorAll(".found > [data-at]").forEach((element) => {
    const slot = Number(element.getAttribute("data-at")) / data.width;
    if (isRange() && (slot < firstSlot() || slot >= lastSlot())) element.classList.add("faded");
  });
  document.querySelectorAll(".legend .who").forEach((button) => {
    button.setAttribute("aria-pressed", String(button.getAttribute("data-who") === chosen));
  });
  document.querySelectorAll("[data-follows]").forEach((element) => {
    const follows = element.getAttribute("data-follows");
    const isFlame = element.closest("[data-flame], [data-heat]") !== null;
    const missing = [];
    if (isRange() && follows !== "both" && follows !== "time") missing.push("whole recording");
    if (chosen !== null && follows !== "both" && follows !== "who") missing.push("all processes");
    if (isFlame && chosen !== null && Number(chosen) >= data.series) missing.push("all processes");
    element.textContent = missing.join(", ");
  });
}
