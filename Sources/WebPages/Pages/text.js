// Formats values for people.

const number = new Intl.NumberFormat();
const rate = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });
const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const minute = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

export const count = (value) => number.format(value);
export const share = (value) => percent.format(value);
export const time = (date) => clock.format(date);

/** "14:00 – 15:00", with the dates unless both are today. */
export function range(from, to) {
  const today = new Date().toDateString();
  const form = from.toDateString() === today && to.toDateString() === today ? minute : day;
  return `${form.format(from)} – ${form.format(to)}`;
}

/** The rate in a minute, hour or day, whichever reads best. */
export function perTime(total, milliseconds) {
  if (!(milliseconds > 0)) return "–";
  const minutes = milliseconds / 60_000;
  for (const [unit, length] of [["minute", 1], ["hour", 60], ["day", 1440]]) {
    if ((total / minutes) * length >= 1 || unit === "day") return `${rate.format((total / minutes) * length)} / ${unit}`;
  }
}

/**
 * An untrusted name as visible text: control characters, which a browser hides, become Unicode's control pictures, and
 * direction overrides, which make a name look like a different one, U+FFFD. The element that shows it handles its
 * direction (`dir="auto"`, isolated).
 */
export function visible(name) {
  return name.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, (character) => {
    const code = character.codePointAt(0);
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    return code === 0x7f ? "\u2421" : "\ufffd";
  });
}

/** An element with attributes, and text or elements in it; never markup. */
export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

/** Sets text only if it differs, so that it is not painted or read out again. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
