"use strict";
// Numbers as people read them. The same as in `schema/src/human.rs`, so that a table that the script fills
// says what it said before.

/** So many digits; of two that are as near the even one, as Rust does. @param {number} value @param {number} digits */
function fixed(value, digits) {
  const text = value.toFixed(digits);
  // Only what has a power of two for its denominator lies in the middle of two decimal numbers.
  const isMiddle = Math.abs((value * 2 ** (digits + 1)) % 2) === 1;
  if (!isMiddle || Number(text.slice(-1)) % 2 === 0) return text;
  return (Number(text) - Math.sign(value) / 10 ** digits).toFixed(digits);
}

/** Three significant digits. @param {number} value @param {string} unit */
function scaled(value, unit) {
  const digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return `${fixed(value, digits)} ${unit}`;
}

/** A span of time. @param {number} ns */
function duration(ns) {
  const sign = ns < 0 ? "-" : "";
  const n = Math.abs(Math.round(ns));
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const s = Math.floor(n / 1e9);
  let text;
  if (n < 1000) text = `${n} ns`;
  else if (n < 999500) text = scaled(n / 1e3, "µs");
  else if (n < 999500000) text = scaled(n / 1e6, "ms");
  else if (n < 60e9) text = scaled(n / 1e9, "s");
  else if (s < 3600) text = `${Math.floor(s / 60)}m ${two(s % 60)}s`;
  else if (s < 86400) text = `${Math.floor(s / 3600)}h ${two(Math.floor(s / 60) % 60)}m`;
  else text = `${Math.floor(s / 86400)}d ${two(Math.floor(s / 3600) % 24)}h`;
  return sign + text;
}

/** A size. @param {number} n */
function bytes(n) {
  const sign = n < 0 ? "-" : "";
  let value = Math.abs(Math.round(n));
  if (value < 1024) return `${sign}${value} B`;
  let unit = "";
  for (const larger of ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]) {
    if (value < 999.5) break;
    value /= 1024;
    unit = larger;
  }
  return sign + scaled(value, unit);
}

/** Digits in groups of three. @param {number|string} n */
function grouped(n) {
  return String(n).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** A number without needless digits. @param {number} n */
function plain(n) {
  return fixed(n, 3).replace(/\.?0+$/, "");
}

/** The time of day of a moment, from the beginning on. @param {number} offset ns */
function clock(offset) {
  const at = BigInt(data.first) + BigInt(Math.round(offset));
  const day = 86400000000000n;
  const inDay = ((at % day) + day) % day;
  const seconds = Number(inDay / 1000000000n);
  const rest = String(inDay % 1000000000n).padStart(9, "0");
  const two = (/** @type {number} */ value) => String(Math.floor(value)).padStart(2, "0");
  const fraction = rest.endsWith("000") ? rest.slice(0, 6) : rest;
  return `${two(seconds / 3600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}.${fraction}`;
}

/** A cell of a table. @param {Cell} value @param {string} unit */
function shown(value, unit) {
  if (value === null) return "–";
  if (value === true) return "yes";
  if (value === false) return "no";
  if (unit === "text") return String(value);
  // Whole numbers that JavaScript has no room for come as text.
  const n = Number(value);
  switch (unit) {
    case "ns": return duration(n);
    case "bytes": return bytes(n);
    case "bytes/s": return `${bytes(n)}/s`;
    case "percent": return `${typeof value === "string" ? value : plain(n)} %`;
    case "moment": return clock(n);
    case "count": return Number.isInteger(n) ? grouped(String(value)) : plain(n);
    default: return Number.isInteger(n) ? String(value) : plain(n);
  }
}

/** The exact value where what is shown was rounded. @param {Cell} value @param {string} unit */
function exactly(value, unit) {
  if (value === null || typeof value === "boolean") return "";
  const n = Math.abs(Number(value));
  if (unit === "ns" && n >= 1000 && Number.isInteger(n)) return `${value} ns`;
  if (unit === "bytes" && n >= 1024 && Number.isInteger(n)) return `${value} B`;
  if (unit === "moment") return `+${duration(Number(value))}`;
  return "";
}

/** A value of a lane as it is. @param {string} unit @param {number} value */
function exactValue(unit, value) {
  return unit === "ns" ? duration(value) : unit === "bytes" ? bytes(value) : grouped(Math.round(value));
}

/** A value of a lane as a rate. @param {Lane} lane @param {number} value */
function rate(lane, value) {
  const perSecond = (value * 1e9) / data.width;
  if (lane.unit === "ns") return `${fixed(value / data.width, 2)} ${lane.rate}`;
  if (lane.unit === "bytes") return lane.level ? bytes(value) : `${bytes(perSecond)}/s`;
  return `${perSecond >= 10 ? grouped(Math.round(perSecond)) : fixed(perSecond, 1)} ${lane.unit}/s`;
}
