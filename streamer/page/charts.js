// Arrays in, charts out: uPlot on a canvas for a series, SVG for the small ones of the list.
import { band, drawn, element, first, number, share, token } from "./tools.js";

const FONT = "12px system-ui, sans-serif";

function axis(extra = {}) {
  const line = { stroke: token("--line"), width: 1 };
  return { stroke: token("--soft"), font: FONT, grid: line, ticks: line, ...extra };
}

const values = (_, ticks) => ticks.map((one) => number(one));

// Draws again whatever has another width, or other colours, now.
class Chart {
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

// History, the fan, a line at the newest value, thresholds.
export class Fan extends Chart {
  constructor(box, thresholds) {
    super(box, 340);
    this.thresholds = thresholds;
    this.now = 0;
  }

  show(history, forecast) {
    const [x, value, mean, low, high] = [[...history.times], [...first(history.values)], [], [], []];
    for (let i = history.ticks.length - 1; i > 0; i--) { // a gap is no line
      if (history.ticks[i] - history.ticks[i - 1] > 1) {
        x.splice(i, 0, (history.times[i] + history.times[i - 1]) / 2);
        value.splice(i, 0, null);
      }
    }
    for (const one of [mean, low, high]) one.length = x.length;
    for (const one of [mean, low, high]) one.fill(null);
    if (forecast) {
      const edges = band(forecast);
      if (x.length) for (const one of [mean, low, high]) one[x.length - 1] = value[x.length - 1];
      first(forecast.mean).forEach((one, i) => {
        x.push(forecast.time + (i + 1) * forecast.interval);
        value.push(null);
        mean.push(one);
        low.push(edges ? edges.low[i] : null);
        high.push(edges ? edges.high[i] : null);
      });
      this.now = forecast.time;
    }
    this.set([x, value, mean, low, high]);
  }

  options() {
    const edge = { stroke: "transparent", points: { show: false } };
    return {
      scales: { y: { range: (_, low, high) => this.range(low, high) } },
      axes: [axis(), axis({ size: 64, values })],
      cursor: { y: false, points: { size: 7 } },
      series: [
        {},
        { stroke: token("--value"), width: 1.6, points: { show: false } },
        { stroke: token("--accent"), width: 2, dash: [6, 4], points: { show: false } },
        edge, edge,
      ],
      bands: [{ series: [4, 3], fill: token("--band") }],
      hooks: { draw: [(plot) => this.lines(plot)], setCursor: [(plot) => this.told?.(plot.cursor.idx)] },
    };
  }

  // A threshold that is near is in the picture.
  range(low, high) {
    if (low === null) return [0, 1];
    const width = high - low || Math.abs(high) || 1;
    for (const one of this.thresholds) {
      if (one.value > high && one.value < high + width / 2) high = one.value;
      if (one.value < low && one.value > low - width / 2) low = one.value;
    }
    return [low - width * 0.06, high + width * 0.06];
  }

  lines(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.lineWidth = devicePixelRatio;
    ctx.textAlign = "left";
    const at = plot.valToPos(this.now, "x", true);
    this.line(ctx, token("--now"), [at, bbox.top], [at, bbox.top + bbox.height]);
    ctx.fillText("now", at + 4 * devicePixelRatio, bbox.top + 14 * devicePixelRatio);
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    for (const one of this.thresholds) {
      const y = plot.valToPos(one.value, "y", true);
      this.line(ctx, token("--threshold"), [bbox.left, y], [bbox.left + bbox.width, y]);
      ctx.fillText(`${one.direction} ${number(one.value)}: ${one.name}`, bbox.left + 6, y - 5 * devicePixelRatio);
    }
    ctx.restore();
  }

  line(ctx, colour, from, to) {
    ctx.strokeStyle = ctx.fillStyle = colour;
    ctx.beginPath();
    ctx.moveTo(...from);
    ctx.lineTo(...to);
    ctx.stroke();
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
