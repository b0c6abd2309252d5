// Arrays in, charts out: uPlot on a canvas for a series, SVG for the small ones of the list.
import { band, drawn, element, first, number, share, token } from "./tools.js";

const FONT = "12px system-ui, sans-serif";

export function axis(extra = {}) {
  const line = { stroke: token("--line"), width: 1 };
  return { stroke: token("--soft"), font: FONT, grid: line, ticks: line, ...extra };
}

export const values = (_, ticks) => ticks.map((one) => number(one));

// Draws again whatever has another width, or other colours, now.
export class Chart {
  constructor(box, height) {
    this.box = box;
    this.height = height;
    this.data = null;
    this.watch = new ResizeObserver(() => this.plot?.setSize({ width: box.clientWidth, height }));
    this.watch.observe(box);
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.again = () => this.data && this.build();
    this.scheme.addEventListener("change", this.again);
  }

  build() {
    this.plot?.destroy();
    const size = { width: this.box.clientWidth || 600, height: this.height };
    this.plot = new uPlot({ ...size, legend: { show: false }, ...this.options() }, this.data, this.box);
  }

  set(data, key = "") {
    const same = this.plot && this.key === key && this.data.length === data.length;
    [this.data, this.key] = [data, key];
    if (same) this.plot.setData(data);
    else this.build();
  }

  close() {
    this.watch.disconnect();
    this.scheme.removeEventListener("change", this.again);
    this.plot?.destroy();
  }
}

// Leads lie on a logarithmic axis, with a number wherever there is room for one.
function byLead(leads, extra) {
  const shown = leads.reduce((some, one) => (some.length && one < 1.6 * some.at(-1) ? some : [...some, one]), []);
  const x = axis({ label: "ticks ahead", labelFont: FONT, labelSize: 18, values, splits: () => shown, filter: (_, splits) => splits });
  return [x, axis({ size: 56, ...extra })];
}

const leadScale = { time: false, distr: 3, range: (_, low, high) => [low, high > low ? high : low + 1] };

// Who speaks: weights by lead, areas that add up to 1.
export class Weights extends Chart {
  constructor(box) { super(box, 230); }

  show(leads, weights, models) {
    this.models = models.filter((one) => weights[one]);
    this.colours = this.models.map((one) => `--c${models.indexOf(one) % 11}`);
    let sum = leads.map(() => 0);
    const rows = this.models.map((one) => (sum = sum.map((before, i) => before + (weights[one][i] ?? 0))));
    this.set([leads, ...rows], this.models.join());
  }

  options() {
    const colours = this.colours.map(token);
    return {
      scales: { x: leadScale, y: { range: [0, 1] } },
      axes: byLead(this.data[0], { values: (_, ticks) => ticks.map(share) }),
      cursor: { show: false },
      series: [{}, ...colours.map((stroke, i) => ({ stroke, width: 1, points: { show: false }, fill: i ? undefined : `${stroke}b0` }))],
      bands: colours.slice(1).map((fill, i) => ({ series: [i + 2, i + 1], fill: `${fill}b0` })),
    };
  }
}

// Mean absolute errors by lead: the published forecast against the obvious ones.
export class Errors extends Chart {
  constructor(box) { super(box, 230); }

  show(leads, errors, models, all) {
    this.models = models;
    this.colours = models.map((one) => (one === "mix" ? "--accent" : `--c${all.indexOf(one) % 11}`));
    this.set([leads, ...models.map((one) => errors[one])], models.join());
  }

  options() {
    return {
      scales: { x: leadScale, y: { range: (_, low, high) => [0, (high || 1) * 1.08] } },
      axes: byLead(this.data[0], { values }),
      cursor: { show: false },
      series: [{}, ...this.colours.map((colour, i) => ({
        stroke: token(colour), width: this.models[i] === "mix" ? 3 : 1.6, dash: this.models[i] === "mix" ? [] : [5, 4], points: { show: false },
      }))],
    };
  }
}

export function legend(entries) {
  const square = (colour) => {
    const rect = drawn("rect", { width: 10, height: 8, rx: 2 });
    rect.style.fill = `var(${colour})`;
    return drawn("svg", { viewBox: "0 0 10 8", "aria-hidden": "true" }, rect);
  };
  return element("ul", { class: "legend" }, ...entries.map(([colour, text]) => element("li", {}, square(colour), text)));
}

export const colourOf = (model, all) => (model === "mix" ? "--accent" : `--c${all.indexOf(model) % 11}`);

// History and fan in a line of the list.
export function spark(history, forecast) {
  const [past, width, height] = [first(history.values), 190, 44];
  const mean = forecast ? first(forecast.mean) : [];
  const edges = forecast ? band(forecast) : null;
  const all = [...past, ...mean, ...(edges ? [...edges.low, ...edges.high] : [])].filter((one) => one !== null);
  const picture = drawn("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  if (!all.length) return picture;
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const count = Math.max(past.length + mean.length - 1, 1);
  const x = (i) => ((i / count) * width).toFixed(1);
  const y = (value) => (2 + (1 - (value - low) / (high - low || 1)) * (height - 4)).toFixed(1);
  const points = (some, from) => some.map((one, i) => (one === null ? "" : `${x(from + i)},${y(one)}`)).join(" ");
  const newest = past.slice(-1);
  const begin = past.length - newest.length;
  if (edges) {
    const back = [...newest, ...edges.low].map((one, i) => `${x(begin + i)},${y(one)}`).reverse().join(" ");
    picture.append(drawn("polygon", { class: "band", points: `${points([...newest, ...edges.high], begin)} ${back}` }));
  }
  picture.append(drawn("line", { class: "now", x1: x(begin), x2: x(begin), y1: 0, y2: height }));
  picture.append(drawn("polyline", { class: "value", points: points(past, 0) }));
  picture.append(drawn("polyline", { class: "mean", points: points([...newest, ...mean], begin) }));
  return picture;
}

// What a fan says in words, for those who do not see it.
export function told(forecast) {
  if (!forecast) return "no forecast yet";
  const [mean, edges] = [first(forecast.mean), band(forecast)];
  const last = mean.length - 1;
  const between = edges ? `, in ${share(edges.keys[1] - edges.keys[0])} of cases between ${number(edges.low[last])} and ${number(edges.high[last])}` : "";
  return `now ${number(first(forecast.value)[0])}, expected ${number(mean[last])} after ${mean.length} ticks${between}`;
}
