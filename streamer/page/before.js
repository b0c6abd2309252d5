// What had been said before: a slider over past forecasts, and a line of those so many ticks ahead. Both are asked for
// when somebody touches them; meanwhile the picture stands still.
import { api, element, lasting } from "./tools.js";

const MOST = 120;
const NOTHING = "nothing";
const POINTS = 300;

export class Before {
  // show({ history, forecast, before, line }): draws a picture that stands still, or with nothing goes on live.
  constructor(id, leads, show) {
    [this.id, this.show, this.found, this.asked] = [id, show, null, false];
    this.slider = element("input", { type: "range", min: 0, max: MOST, value: MOST, step: 1, oninput: () => this.change() });
    this.choice = element("select", { onchange: () => this.change() }, element("option", { value: NOTHING }, NOTHING),
      ...leads.map((lead) => element("option", { value: lead }, lead === 1 ? "what was said 1 tick before" : `what was said ${lead} ticks before`)));
    this.said = element("p", { class: "soft", "aria-live": "polite" });
    this.box = element("div", {},
      element("div", { class: "tools" },
        element("label", { class: "wide" }, "What did it say before? Drag to the left", this.slider),
        element("label", {}, "Compare the values with", this.choice)), this.said);
  }

  get looking() {
    return +this.slider.value < MOST || this.choice.value !== NOTHING;
  }

  async change() {
    if (!this.looking) {
      this.found = null;
      this.said.textContent = "";
      this.show(null);
      return;
    }
    if (!this.found && !this.asked) await this.ask();
    if (this.found && this.looking) this.draw();
  }

  async ask() {
    this.asked = true;
    this.said.textContent = "Made again from the journal; this takes a few seconds …";
    try {
      const past = await this.past(POINTS).catch(() => this.past(POINTS / 3)); // on a busy machine fewer are made in time
      this.found = { past, history: await api(`series/${this.id}/history?points=${POINTS}`) };
    } catch (error) {
      this.said.textContent = `There is no answer: ${error.message}`;
    }
    this.asked = false;
  }

  past(points) {
    return api(`series/${this.id}/past?points=${points}&count=60`);
  }

  draw() {
    const { past: { forecasts, lines, whole }, history } = this.found;
    const newest = forecasts.at(-1);
    if (!newest) {
      this.said.textContent = "Nothing had been said yet.";
      return;
    }
    const before = +this.slider.value < MOST ? forecasts[Math.floor((this.slider.value / MOST) * forecasts.length)] : null;
    const line = lines.find((one) => String(one.lead) === this.choice.value) ?? null;
    const until = history.times.filter((time) => time <= newest.time).length;
    const then = { clipped: history.clipped };
    for (const name of ["ticks", "times", "values"]) then[name] = history[name].slice(0, until);
    this.show({ history: then, forecast: newest, before, line });
    const sentences = [
      before && `Violet: the forecast made ${lasting(newest.time - before.time)} before the newest one.`,
      line && "Thin line: what had been said of each value.",
      whole ? "All as it was published." : "Made again from the samples that the journal has: nearly what was published.",
      "The picture stands still until the slider is back at the right and nothing is compared.",
    ];
    this.said.textContent = sentences.filter(Boolean).join(" ");
  }
}
