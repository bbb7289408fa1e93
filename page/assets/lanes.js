// The time line: its lanes follow the range and the process; a range is chosen by dragging.

/** The sums of each stretch of what passes. @param {Lane} lane @param {(series: Series) => boolean} passes */
function sums(lane, passes) {
  const values = new Array(data.slots).fill(0);
  for (const series of lane.series) {
    if (!passes(series)) continue;
    for (let at = 0; at < series.points.length; at += 3) values[series.points[at]] += series.points[at + 1];
  }
  return values;
}

/** Steps from the bottom of a picture that is 100 high. @param {number[]} values @param {number} top */
function area(values, top) {
  let path = "", last = 100;
  for (let slot = 0; slot < values.length; slot++) {
    const y = Math.round(1000 * (1 - values[slot] / Math.max(top, 1))) / 10;
    if (y === last) continue;
    path += `${path ? `H${slot}` : `M${slot} 100`}V${y}`;
    last = y;
  }
  return path && `${path}H${values.length}V100Z`;
}

/** What the number of a series stands for. @param {number} name */
function named(name) {
  return name < data.series ? data.names[name] ?? "" : name === data.series ? "(others)" : "(the machine)";
}

/** Draws one lane anew. @param {Lane} lane @param {Element} row */
function drawLane(lane, row) {
  const svg = row.querySelector("svg");
  if (!svg) return;
  const [from, to] = [firstSlot(), lastSlot()];
  const everything = sums(lane, (series) => !series.minor);
  let top = 0;
  for (let slot = from; slot < to; slot++) top = Math.max(top, everything[slot]);
  const paths = [];
  const who = state.who;
  if (who !== null && who < data.series && lane.id !== "lost") {
    const own = sums(lane, (series) => !series.minor && series.name === who);
    paths.push(shape("path", { class: "rest", d: area(everything, top) }, "all"));
    paths.push(shape("path", { class: "chosen", d: area(own, top) }, data.names[who]));
  } else {
    const covered = new Array(data.slots).fill(0);
    for (let colour = 0; colour <= data.colours; colour++) {
      const own = lane.series.filter((series) => !series.minor && Math.min(series.name, data.colours) === colour);
      if (!own.length) continue;
      const values = sums(lane, (series) => own.includes(series));
      for (let slot = 0; slot < data.slots; slot++) covered[slot] += values[slot];
      const name = colour === data.colours ? (own.every((series) => series.name > data.series) ? "the machine" : "others") : data.names[colour];
      paths.unshift(shape("path", { class: `c${colour}`, d: area(covered, top) }, name));
    }
  }
  const minor = sums(lane, (series) => series.minor && (who === null || series.name === who));
  if (minor.some((value) => value > 0)) {
    paths.push(shape("path", { class: "minor", d: area(minor, top) }, lane.minor || ""));
  }
  svg.replaceChildren(...paths);
  svg.setAttribute("viewBox", `${from} 0 ${to - from} 100`);
  const label = row.querySelector("[data-top]");
  if (label) label.textContent = rate(lane, top);
}

function drawLanes() {
  const [from, to] = [firstSlot(), lastSlot()];
  document.querySelectorAll("[data-lane]").forEach((row) => {
    const lane = data.lanes[Number(row.getAttribute("data-lane"))];
    if (lane) drawLane(lane, row);
  });
  document.querySelector("[data-marks]")?.setAttribute("viewBox", `${from} 0 ${to - from} 20`);
  const ticks = byId("ticks");
  if (ticks) {
    const spans = ticks.querySelectorAll("span");
    spans.forEach((/** @type {Element} */ span, /** @type {number} */ index) => {
      span.textContent = `+${duration((from + ((to - from) * index) / (spans.length - 1)) * data.width)}`;
    });
  }
  document.querySelectorAll("#lives svg").forEach((svg) => {
    const height = Number(svg.getAttribute("height"));
    svg.setAttribute("viewBox", `${from} 0 ${to - from} ${height}`);
  });
}

/** Who did what in the part that is looked at. */
function drawDoings() {
  const table = byId("doings");
  if (!table) return;
  const lanes = data.lanes.filter((lane) => lane.id !== "lost");
  const [from, to] = [firstSlot(), lastSlot()];
  const rows = [];
  for (let name = 0; name <= data.series + 1; name++) {
    if (state.who !== null && state.who < data.series && state.who !== name) continue;
    const values = lanes.map((lane) => {
      let sum = 0;
      for (const series of lane.series) {
        if (series.name !== name || series.minor) continue;
        for (let at = 0; at < series.points.length; at += 3) {
          if (series.points[at] < from || series.points[at] >= to) continue;
          sum = lane.level ? Math.max(sum, series.points[at + 1]) : sum + series.points[at + 1];
        }
      }
      return sum;
    });
    if (!values.some((value) => value !== 0)) continue;
    const row = make("tr");
    const head = make("th");
    head.setAttribute("scope", "row");
    head.append(make("span", `dot c${Math.min(name, data.colours)}`), named(name));
    row.append(head);
    lanes.forEach((lane, index) => {
      const value = values[index] ?? 0;
      row.append(make("td", "n", value === 0 ? "–" : exactValue(lane.unit, value)));
    });
    rows.push(row);
  }
  table.tBodies[0].replaceChildren(...rows);
  table.querySelector("[data-over]").textContent = isRange()
    ? `${seconds(from).toFixed(3)} to ${seconds(to).toFixed(3)} s`
    : "the whole recording";
}

/** The stretch under the pointer, with its fraction. @param {PointerEvent} event */
function slotAt(event) {
  const box = byId("brush").getBoundingClientRect();
  const part = Math.max(0, Math.min(1, (event.clientX - box.left) / Math.max(box.width, 1)));
  return firstSlot() + part * (lastSlot() - firstSlot());
}

/** What a lane has in a stretch, in words. @param {Lane} lane @param {number} slot */
function told(lane, slot) {
  /** @type {[string, number, number][]} */
  const parts = [];
  let all = 0;
  for (const series of lane.series) {
    for (let at = 0; at < series.points.length; at += 3) {
      if (series.points[at] !== slot) continue;
      const [value, peak] = [series.points[at + 1] ?? 0, series.points[at + 2] ?? 0];
      const name = named(series.name);
      parts.push([series.minor ? `${name}, ${lane.minor}` : name, value, peak]);
      if (!series.minor) all += value;
    }
  }
  parts.sort((a, b) => b[1] - a[1]);
  const time = `+${duration(slot * data.width)} to +${duration((slot + 1) * data.width)}`;
  const lines = parts.slice(0, 8).map(([name, value]) => `${name}: ${exactValue(lane.unit, value)}`);
  if (parts.length > 8) lines.push(`and ${parts.length - 8} more`);
  return `${lane.title}\n${time}\nall: ${exactValue(lane.unit, all)} (${rate(lane, all)})\n${lines.join("\n")}`;
}

function watchBrush() {
  const brush = byId("brush");
  if (!brush) return;
  const [shade, cursor] = [byId("window"), byId("cursor")];
  /** @type {number|null} */
  let began = null;
  let beganX = 0;
  const place = (/** @type {number} */ from, /** @type {number} */ to) => {
    const [first, length] = [firstSlot(), lastSlot() - firstSlot()];
    const [a, b] = [Math.min(from, to), Math.max(from, to)];
    shade.style.left = `${(100 * (a - first)) / length}%`;
    shade.style.width = `${(100 * (b - a)) / length}%`;
    shade.hidden = false;
  };
  const laneAt = (/** @type {PointerEvent} */ event) => {
    const rows = document.querySelectorAll("#lanes .lane");
    return Array.from(rows).find((row) => {
      const box = row.getBoundingClientRect();
      return event.clientY >= box.top && event.clientY < box.bottom;
    });
  };
  brush.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
    if (event.button !== 0) return;
    brush.setPointerCapture(event.pointerId);
    [began, beganX] = [slotAt(event), event.clientX];
  });
  brush.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    const slot = slotAt(event);
    if (began !== null) place(began, slot);
    cursor.hidden = false;
    cursor.style.left = `${event.clientX - brush.getBoundingClientRect().left}px`;
    const row = laneAt(event);
    const lane = row && data.lanes[Number(row.getAttribute("data-lane") ?? -1)];
    if (lane) tip(told(lane, Math.min(data.slots - 1, Math.floor(slot))), event);
    else if (row?.classList.contains("marks")) tip(nearest(row, slot)?.querySelector("title")?.textContent ?? "", event);
    else tip("", event);
  });
  const nearest = (/** @type {Element} */ row, /** @type {number} */ slot) => {
    const near = Array.from(row.querySelectorAll("line")).map((line) => /** @type {[number, Element]} */ (
      [Math.abs(Number(line.getAttribute("data-at")) - slot), line]));
    near.sort((a, b) => a[0] - b[0]);
    const [best] = near;
    return best && best[0] < (lastSlot() - firstSlot()) / 40 ? best[1] : null;
  };
  brush.addEventListener("pointerup", (/** @type {PointerEvent} */ event) => {
    const [from, to] = [began, slotAt(event)];
    began = null;
    shade.hidden = true;
    if (from === null) return;
    if (Math.abs(event.clientX - beganX) > 4) return look({ from, to });
    const row = laneAt(event);
    const mark = row?.classList.contains("marks") ? nearest(row, to) : null;
    const id = mark?.closest("a")?.getAttribute("data-section");
    if (id) goTo(id);
  });
  brush.addEventListener("pointercancel", () => { began = null; shade.hidden = true; });
  brush.addEventListener("pointerleave", () => { cursor.hidden = true; tip("", null); });
  brush.addEventListener("dblclick", () => look({ from: null, to: null }));
}

/** Shows words beside the pointer. @param {string} text @param {PointerEvent|null} event */
function tip(text, event) {
  const box = byId("tip");
  box.hidden = !text || !event;
  if (!text || !event) return;
  box.textContent = text;
  const { width, height } = box.getBoundingClientRect();
  const left = event.clientX + 14 + width > innerWidth ? event.clientX - width - 14 : event.clientX + 14;
  box.style.left = `${Math.max(4, left)}px`;
  box.style.top = `${Math.max(4, Math.min(event.clientY + 14, innerHeight - height - 4))}px`;
}
