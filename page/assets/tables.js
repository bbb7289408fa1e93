// Tables: sorting, filtering, more rows, a copy as CSV; rows follow what is looked at.

/** @typedef {{column: number|null, isDown: boolean, most: number, filter: string}} View */

/** How each table is shown. @type {Map<string, View>} */
const views = new Map();

/** Rows that are shown before somebody asks for more. */
const ROWS_FIRST = 10;

/** @param {string} name @returns {View} */
function viewOf(name) {
  let view = views.get(name);
  if (!view) views.set(name, (view = { column: null, isDown: true, most: ROWS_FIRST, filter: "" }));
  return view;
}

/** Whether a row is of what is looked at. @param {Table} table @param {number} row */
function isLookedAt(table, row) {
  if (state.who !== null && table.who && table.who[row] !== state.who) return false;
  if (!isRange() || table.begin === null) return true;
  const cells = table.rows[row] ?? [];
  const cell = cells[table.begin];
  if (cell === null || cell === undefined) return true;
  const begin = Number(cell) - table.shift;
  const [from, to] = [firstSlot() * data.width, lastSlot() * data.width];
  // What has no end was still there at the end of the recording.
  const length = table.length === null ? 0 : Number(cells[table.length] ?? Infinity);
  return begin < to && begin + length >= from;
}

/** The rows to show, in order, by their numbers. @param {string} name @param {Table} table */
function chosenRows(name, table) {
  const view = viewOf(name);
  const wanted = [view.filter, byId("search").value].map((text) => text.trim().toLowerCase()).filter(Boolean);
  let rows = table.rows.map((_, index) => index).filter((row) => isLookedAt(table, row));
  if (wanted.length) {
    rows = rows.filter((row) => {
      const text = (table.rows[row] ?? []).map((cell, column) => `${shown(cell, table.columns[column]?.[1] ?? "")}\n${cell}`);
      const all = text.join("\n").toLowerCase();
      return wanted.every((words) => all.includes(words));
    });
  }
  const column = view.column;
  if (column !== null) {
    const isText = table.columns[column]?.[1] === "text";
    const value = (/** @type {number} */ row) => table.rows[row]?.[column] ?? null;
    rows.sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      // What is not known comes last, whichever way.
      if (x === null || y === null) return Number(x === null) - Number(y === null) || a - b;
      const order = isText ? String(x).localeCompare(String(y), "en") : Number(x) - Number(y);
      return (view.isDown ? -order : order) || a - b;
    });
  }
  return rows;
}

/** @param {Element} report */
function drawTable(report) {
  const name = report.getAttribute("data-report") ?? "";
  const table = data.tables[name];
  const element = /** @type {HTMLTableElement|null} */ (report.querySelector("table.rows"));
  if (!table || !element) return;
  const view = viewOf(name);
  const rows = chosenRows(name, table);
  const most = table.columns.map(([, , isBar], column) =>
    isBar ? Math.max(0, ...table.rows.map((row) => Number(row[column] ?? 0))) : 0);
  const made = rows.slice(0, view.most).map((row) => {
    const line = make("tr");
    table.columns.forEach(([, unit], column) => {
      const cell = table.rows[row]?.[column] ?? null;
      const isNumber = unit !== "text" && unit !== "moment";
      const box = make("td", isNumber ? "n" : "");
      const top = most[column] ?? 0;
      if (top > 0 && cell !== null) {
        const bar = shape("svg", { class: "bar-cell", viewBox: "0 0 100 1", preserveAspectRatio: "none", "aria-hidden": "true" });
        bar.append(shape("rect", { width: ((100 * Math.max(0, Number(cell))) / top).toFixed(1), height: 1 }));
        box.append(bar);
      }
      box.append(shown(cell, unit));
      const title = exactly(cell, unit) || (unit === "text" && String(cell).length > 60 ? String(cell) : "");
      if (title) box.title = title;
      line.append(box);
    });
    return line;
  });
  element.tBodies[0]?.replaceChildren(...made);
  element.querySelectorAll("thead th").forEach((head, column) => {
    if (view.column === column) head.setAttribute("aria-sort", view.isDown ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  });
  const foot = report.querySelector("[data-shown]");
  if (foot) {
    foot.textContent = rows.length === table.rows.length
      ? (made.length < table.total ? `The first ${made.length} of ${table.total} rows.` : "All rows.")
      : `${made.length} of ${rows.length} rows that match, of ${table.rows.length}.`;
  }
  const more = /** @type {HTMLElement|null} */ (report.querySelector("[data-more]"));
  if (more) more.hidden = made.length >= rows.length;
}

/** The options that make a command look at the same part. */
function options() {
  let text = "";
  if (isRange()) {
    // Commands count from the first event on.
    text += ` --from +${firstSlot() * data.width + data.shift}ns --to +${lastSlot() * data.width + data.shift}ns`;
  }
  if (state.who !== null) {
    const name = data.names[state.who] ?? "";
    text += ` --comm ${/^[A-Za-z0-9_.:/+-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`}`;
  }
  return text;
}

/** The commands as they are without a selection. @type {WeakMap<Element, string>} */
const commands = new WeakMap();

function drawTables() {
  document.querySelectorAll("details.report[open]").forEach(drawTable);
  const extra = options();
  document.querySelectorAll("[data-command]").forEach((element) => {
    if (!commands.has(element)) commands.set(element, element.textContent ?? "");
    element.textContent = commands.get(element) + extra;
  });
}

/** A cell of CSV; a text that a spreadsheet would take for a formula gets an apostrophe in front. @param {Cell} cell @param {string} unit */
function csvCell(cell, unit) {
  if (cell === null) return "";
  let text = unit === "moment" ? clock(Number(cell)) : String(cell);
  if (unit === "text" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The rows that are chosen, as CSV. @param {string} name */
function csv(name) {
  const table = data.tables[name];
  if (!table) return "";
  const lines = [table.columns.map(([column]) => column).join(",")];
  for (const row of chosenRows(name, table)) {
    lines.push((table.rows[row] ?? []).map((cell, column) => csvCell(cell, table.columns[column]?.[1] ?? "")).join(","));
  }
  return `${lines.join("\n")}\n`;
}

/** Puts text where it can be pasted from. @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "unseen";
    document.body.append(area);
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    return isCopied;
  }
}

function watchTables() {
  document.querySelectorAll("details.report").forEach((report) => {
    const name = report.getAttribute("data-report") ?? "";
    report.addEventListener("toggle", () => {
      if (/** @type {HTMLDetailsElement} */ (report).open && (isRange() || state.who !== null || views.has(name) || byId("search").value)) drawTable(report);
    });
    report.querySelectorAll("[data-sort]").forEach((button) => button.addEventListener("click", () => {
      const view = viewOf(name);
      const column = Number(button.getAttribute("data-sort"));
      view.isDown = view.column === column ? !view.isDown : data.tables[name]?.columns[column]?.[1] !== "text";
      view.column = column;
      drawTable(report);
      say(`Sorted by ${button.textContent}, ${view.isDown ? "largest" : "smallest"} first`);
    }));
    report.querySelector("[data-filter]")?.addEventListener("input", (event) => {
      viewOf(name).filter = /** @type {HTMLInputElement} */ (event.target).value;
      drawTable(report);
      say(report.querySelector("[data-shown]")?.textContent ?? "");
    });
    report.querySelector("[data-more]")?.addEventListener("click", () => {
      viewOf(name).most += 90;
      drawTable(report);
    });
    const button = report.querySelector("[data-copy]");
    button?.addEventListener("click", async () => {
      const isCopied = await copy(csv(name));
      button.textContent = isCopied ? "Copied" : "Cannot copy here";
      say(isCopied ? "Copied as CSV" : "Cannot copy here");
      setTimeout(() => { button.textContent = "Copy as CSV"; }, 1500);
    });
  });
}
