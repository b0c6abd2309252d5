// Figures in, texts and elements out.

const NAMES = {
  persistence: "no change", "last-week": "last week", "profile-day": "usual day", "profile-week": "usual week",
  linear: "least squares", "linear-day": "least squares on the usual day", "linear-week": "least squares on the usual week",
  memoryless: "memoryless network", traditional: "traditional network", mix: "published mixture",
};

export const called = (model) => NAMES[model] ?? model;

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((one) => one !== null && one !== undefined));
  return made;
}

export function drawn(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function number(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size >= 1e6 || (size > 0 && size < 1e-3)) return value.toExponential(3);
  return value.toLocaleString("en", { maximumSignificantDigits: 5, useGrouping: size >= 1e4 });
}

export function lasting(seconds) {
  for (const [unit, length] of [["d", 86400], ["h", 3600], ["min", 60]]) {
    if (seconds >= 2 * length) return `${number(Math.round((seconds / length) * 10) / 10)} ${unit}`;
  }
  return `${number(seconds >= 10 ? Math.round(seconds) : Math.round(seconds * 100) / 100)} s`;
}

// A number and its sign stay on one line.
export const unbroken = (text) => text.replaceAll(" %", "\u00a0%");

export const share = (value) => (value === null ? "–" : `${Math.round(value * 100)}\u00a0%`);

// A series of d elements is shown by its first one.
export const first = (values) => values.map((one) => (Array.isArray(one) ? one[0] : one));

export function band(forecast) {
  const keys = Object.keys(forecast.quantiles).sort((a, b) => a - b);
  if (keys.length < 2) return null;
  const [low, high] = [keys[0], keys[keys.length - 1]];
  return { low: first(forecast.quantiles[low]), high: first(forecast.quantiles[high]), keys: [low, high] };
}

export function crossing(threshold) {
  if (!threshold) return "";
  const what = `${threshold.direction} ${number(threshold.value)} (${threshold.name})`;
  if (threshold.seconds === null) return `not ${what} within the forecast`;
  return threshold.seconds === 0 ? `${what} now` : `${what} in ${lasting(threshold.seconds)}`;
}

export function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export async function api(path) {
  const answer = await fetch(`api/v1/${path}`);
  if (answer.status === 401) location.reload();
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
}
