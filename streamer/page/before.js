// What had been said before: a slider over past forecasts, and a line of those so many ticks ahead. Both are asked for
// when somebody touches them, and grow with the forecasts that come in meanwhile.
import { api, element, lasting } from "./tools.js";

const MOST = 120;
const NOTHING = "nothing";

export class Before {
  // show(before, line): draws them.
  constructor(id, leads, show) {
    [this.id, this.show, this.found, this.latest] = [id, show, null, []];
    this.slider = element("input", { type: "range", min: 0, max: MOST, value: MOST, step: 1, oninput: () => this.change() });
    this.choice = element("select", { onchange: () => this.change() }, element("option", { value: NOTHING }, NOTHING),
      ...leads.map((lead) => element("option", { value: lead }, lead === 1 ? "what was said 1 tick before" : `what was said ${lead} ticks before`)));
    this.said = element("p", { class: "soft", "aria-live": "polite" });
    this.box = element("div", {},
      element("div", { class: "tools" },
        element("label", { class: "wide" }, "What did it say before? Drag to the left", this.slider),
        element("label", {}, "Compare the values with", this.choice)), this.said);
  }

  // A forecast that has come in.
  add(forecast) {
    if (forecast && this.latest.at(-1)?.time !== forecast.time) this.latest.push(forecast);
    if (this.latest.length > MOST) this.latest.shift();
    if (this.found && (this.slider.value < MOST || this.choice.value !== NOTHING)) this.draw();
  }

  async change() {
    if (!this.found && !this.asked) {
      this.said.textContent = "Made again from the journal; this takes a few seconds …";
      this.asked = api(`series/${this.id}/past?points=300&count=60`);
      try {
        this.found = await this.asked;
      } catch (error) {
        this.said.textContent = `There is no answer: ${error.message}`;
        this.asked = null;
        return;
      }
    }
    if (this.found) this.draw();
  }

  draw() {
    const { forecasts, lines, whole } = this.found;
    const newer = this.latest.filter((one) => one.time > (forecasts.at(-1)?.time ?? 0));
    const all = [...forecasts, ...newer];
    const at = Math.round((this.slider.value / MOST) * all.length);
    const before = all[at] ?? null; // the last place is now
    const line = lines.find((one) => String(one.lead) === this.choice.value) ?? null;
    this.show(before, line && this.longer(line, newer));
    const how = whole ? "as it was published" : "made again from the samples that the journal has, so nearly as it was published";
    const what = line ? " Thin line: what had been said of each value." : "";
    this.said.textContent = before ? `Forecast made ${lasting((all.at(-1).time - before.time))} before the newest one, ${how}.${what}` : line ? `${what.trim()} It is ${how}.` : "";
  }

  longer(line, newer) {
    return {
      times: [...line.times, ...newer.map((one) => one.time + line.lead * one.interval)],
      mean: [...line.mean, ...newer.map((one) => one.mean[line.lead - 1])],
    };
  }
}
