// History and forecasts of one series in, their chart out: with what was said before, gaps, and values far outside.
import { Chart, axis, values } from "./charts.js";
import { band, first, number, token } from "./tools.js";

const columns = (forecast) => {
  const edges = band(forecast);
  const mean = first(forecast.mean);
  const times = mean.map((_, i) => forecast.time + (i + 1) * forecast.interval);
  const nothing = mean.map(() => null);
  return [times, mean, edges?.low ?? nothing, edges?.high ?? nothing];
};

// From the value that a forecast was made after, so that its curve begins there.
function begun(forecast) {
  const [value] = first(forecast.value);
  return columns(forecast).map((column, i) => [i ? value : forecast.time, ...column]);
}

export class Fan extends Chart {
  constructor(box, thresholds) {
    super(box, 340);
    this.thresholds = thresholds;
    this.now = 0;
    [this.gaps, this.outside, this.before] = [[], [], null];
  }

  // before: a forecast of then. line: what had been said of each value, so many ticks before.
  show(history, forecast, before = null, line = null) {
    const [times, value] = [[...history.times], [...first(history.values)]];
    this.before = before;
    [this.gaps, this.outside] = [[], []];
    const clipped = new Set(history.clipped);
    history.ticks.forEach((tick, i) => {
      if (clipped.has(tick)) {
        this.outside.push([times[i], value[i]]);
        value[i] = undefined; // the picture keeps its scale
      }
    });
    for (let i = history.ticks.length - 1; i > 0; i--) { // a gap is no line
      if (history.ticks[i] - history.ticks[i - 1] > 1) {
        this.gaps.push([history.times[i - 1], history.times[i]]);
        times.splice(i, 0, (history.times[i] + history.times[i - 1]) / 2);
        value.splice(i, 0, null);
      }
    }
    if (forecast) this.now = forecast.time;
    const [since, none] = [times[0] ?? 0, [[], [], [], []]];
    const said = line ? this.cut([line.times, first(line.mean)], since) : [[], []];
    const then = before ? this.cut(begun(before), since) : none;
    this.set(uPlot.join([[times, value], forecast ? begun(forecast) : none, then, said]));
  }

  cut(some, since) {
    const from = some[0].findIndex((time) => time >= since);
    return from < 0 ? some.map(() => []) : some.map((column) => column.slice(from));
  }

  options() {
    const curve = (stroke, width, dash) => ({ stroke, width, dash, points: { show: false } });
    const edge = curve("transparent", 1);
    return {
      scales: { y: { range: (_, low, high) => this.range(low, high) } },
      axes: [axis(), axis({ size: 64, values })],
      cursor: { y: false, points: { size: 7 } },
      series: [
        {},
        curve(token("--value"), 1.6),
        curve(token("--accent"), 2, [6, 4]), edge, edge,
        curve(token("--before"), 2, [6, 4]), edge, edge,
        curve(token("--before"), 1.4),
      ],
      bands: [{ series: [4, 3], fill: token("--band") }, { series: [7, 6], fill: token("--before-band") }],
      hooks: { drawClear: [(plot) => this.shade(plot)], draw: [(plot) => this.lines(plot)], setCursor: [(plot) => this.told?.(plot.cursor.idx)] },
    };
  }

  // A threshold that is near is in the picture.
  range(low, high) {
    if (low === null || low === undefined) return [0, 1];
    const width = high - low || Math.abs(high) || 1;
    for (const one of this.thresholds) {
      if (one.value > high && one.value < high + width / 2) high = one.value;
      if (one.value < low && one.value > low - width / 2) low = one.value;
    }
    return [low - width * 0.06, high + width * 0.06];
  }

  within(plot, draw) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.lineWidth = devicePixelRatio;
    ctx.textAlign = "left";
    draw(ctx, bbox, devicePixelRatio);
    ctx.restore();
  }

  shade(plot) {
    this.within(plot, (ctx, bbox) => {
      ctx.fillStyle = token("--gap");
      for (const [from, to] of this.gaps) {
        const [left, right] = [plot.valToPos(from, "x", true), plot.valToPos(to, "x", true)];
        ctx.fillRect(left, bbox.top, right - left, bbox.height);
      }
    });
  }

  lines(plot) {
    this.within(plot, (ctx, bbox, dot) => {
      const at = plot.valToPos(this.now, "x", true);
      const bottom = bbox.top + bbox.height;
      this.stroke(ctx, token("--now"), [at, bbox.top], [at, bottom]);
      this.label(ctx, bbox, dot, "now", at, bottom - 6 * dot);
      if (this.before) {
        const then = plot.valToPos(this.before.time, "x", true);
        this.stroke(ctx, token("--before"), [then, bbox.top], [then, bottom]);
        this.label(ctx, bbox, dot, "said here", then, bottom - 24 * dot);
      }
      for (const [time, value] of this.outside) this.far(plot, ctx, bbox, dot, time, value);
      for (const one of this.thresholds) {
        const y = plot.valToPos(one.value, "y", true);
        ctx.setLineDash([4 * dot, 4 * dot]);
        this.stroke(ctx, token("--threshold"), [bbox.left, y], [bbox.left + bbox.width, y]);
        ctx.setLineDash([]);
        this.label(ctx, bbox, dot, `${one.direction} ${number(one.value)}: ${one.name}`, bbox.left, y - bbox.top < 22 * dot ? y + 16 * dot : y - 6 * dot);
      }
    });
  }

  // A value far outside lies at the edge of the picture, with its figure.
  far(plot, ctx, bbox, dot, time, value) {
    const [x, wanted, size] = [plot.valToPos(time, "x", true), plot.valToPos(value, "y", true), 6 * dot];
    const y = Math.min(Math.max(wanted, bbox.top + size), bbox.top + bbox.height - size);
    ctx.fillStyle = ctx.strokeStyle = token("--outside");
    ctx.beginPath();
    ctx.moveTo(x, y - size);
    ctx.lineTo(x + size, y);
    ctx.lineTo(x, y + size);
    ctx.lineTo(x - size, y);
    ctx.closePath();
    ctx.fill();
    this.label(ctx, bbox, dot, number(value), x + size, y + 4 * dot);
  }

  // A text beside x, to its left where there is no room, on a ground of its own.
  label(ctx, bbox, dot, text, x, y) {
    const [width, colour] = [ctx.measureText(text).width, ctx.fillStyle];
    const left = x + width + 8 * dot > bbox.left + bbox.width ? x - width - 16 * dot : x + 4 * dot;
    ctx.fillStyle = token("--card");
    ctx.fillRect(left - 2 * dot, y - 11 * dot, width + 4 * dot, 15 * dot);
    ctx.fillStyle = colour;
    ctx.fillText(text, left, y);
  }

  stroke(ctx, colour, from, to) {
    ctx.strokeStyle = ctx.fillStyle = colour;
    ctx.beginPath();
    ctx.moveTo(...from);
    ctx.lineTo(...to);
    ctx.stroke();
  }
}
