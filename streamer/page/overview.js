// All streams, and their series: searched, sorted and cut into pages by the server.
import { daemon } from "./app.js";
import { spark, told } from "./charts.js";
import { Live } from "./live.js";
import { api, crossing, element, first, lasting, number, unbroken } from "./tools.js";

const PAGE = 25;
const POINTS = 40;
const SORTS = { name: "Name", skill: "Skill", width: "Band width", surprise: "Surprise", threshold: "Next threshold", age: "Last sample" };
const REFRESH_MS = 10000;
const FAST_MS = 2000; // for series whose samples come faster than they are sent
const choice = { q: "", stream: "", sort: "name", order: "up", offset: 0 }; // kept from page to page

export async function overview(box) {
  document.title = "Streamer";
  const cards = element("div", { class: "cards" });
  const body = element("tbody");
  const pages = element("div", { class: "pages" });
  const { streams } = await api("streams");
  const [rates, heard] = [new Map(), new Map()];
  let live = null, refreshed = 0, asked = 0, timer = 0, closed = false;

  const refresh = async () => {
    const mine = ++asked;
    refreshed = performance.now();
    const query = new URLSearchParams({ ...choice, limit: PAGE, points: POINTS });
    const found = await api(`series?${query}`);
    if (closed || mine !== asked) return;
    const rows = new Map(found.series.map((one) => [one.id, new Row(one, missed, heard.get(one.id))]));
    body.replaceChildren(...[...rows.values()].map((row) => row.line));
    if (!rows.size) body.append(element("tr", {}, element("td", { colspan: 6 }, streams.some((one) => one.series) ? "No series has this name." : "No series yet: they come with the first messages.")));
    turn(found.total);
    const ids = [...rows.keys()];
    const take = (one) => {
      const row = rows.get(one.id);
      row?.forecast(one);
      if (row?.heard) heard.set(one.id, row.heard);
    };
    if (ids.join() === live?.ids.join()) { live.onForecast = take; return; }
    live?.close();
    live = new Live(ids, take, hear);
  };
  const missed = () => {
    if (performance.now() - refreshed > FAST_MS) refresh().catch(() => {});
  };
  const hear = (moment) => {
    daemon(moment);
    const now = performance.now();
    for (const [name, samples] of Object.entries(moment.samples)) {
      const then = rates.get(name);
      if (!then) rates.set(name, { samples, now, node: cards.querySelector(`[data-rate="${name}"]`) });
      else if (then.node && now - then.now > 3000) {
        then.node.textContent = `${number((samples - then.samples) / ((now - then.now) / 1000))} samples a second`;
        Object.assign(then, { samples, now });
      }
    }
  };
  const turn = (total) => {
    const to = (offset) => () => { choice.offset = offset; refresh(); };
    const last = Math.min(choice.offset + PAGE, total);
    pages.replaceChildren(
      element("button", { type: "button", disabled: !choice.offset, onclick: to(Math.max(0, choice.offset - PAGE)) }, "Previous"),
      element("span", {}, total ? `${choice.offset + 1} to ${last} of ${total.toLocaleString("en")}` : "none"),
      element("button", { type: "button", disabled: last >= total, onclick: to(choice.offset + PAGE) }, "Next"),
    );
  };
  const chosen = (name) => (event) => {
    Object.assign(choice, { [name]: event.target.value, offset: 0 });
    clearTimeout(timer);
    timer = setTimeout(refresh, 150);
  };

  cards.append(...streams.map(card));
  const heads = ["Series", "Past and forecast", "Now", "How good", "Next threshold", "Last sample"];
  const head = element("thead", {}, element("tr", {}, ...heads.map((one) => element("th", { scope: "col" }, one))));
  box.append(
    element("h1", {}, "Streams"), help(), cards, tools(streams, chosen),
    element("div", { class: "frame" }, element("table", {}, element("caption", { class: "skip" }, "Series"), head, body)), pages,
  );
  await refresh();
  const again = setInterval(() => { if (!document.hidden) refresh().catch(() => {}); }, REFRESH_MS);
  return () => { closed = true; clearInterval(again); clearTimeout(timer); live?.close(); };
}

function help() {
  return element("details", { class: "help" }, element("summary", {}, "What is this?"),
    element("p", {}, "Streamer forecasts every series below each time a value comes, from its past alone, and checks every forecast against the values that follow. So each figure here was measured on values that the forecast had not seen."),
    element("p", {}, "'No change' repeats the newest value, 'yesterday' that of a day before. 30 % better: the error was 30 % less, in the mean over near and far. A tick is the time between two values of a series."),
    element("p", {}, "In the pictures values are solid, the forecast is dashed, and its band shows how sure it is. Open a series to see whether it can be trusted, and why."));
}

function tools(streams, chosen) {
  const pick = (name, label, options) => element("label", {}, label, element("select", { onchange: chosen(name) },
    ...options.map(([value, text]) => element("option", { value, selected: choice[name] === value }, text))));
  return element("form", { class: "tools", role: "search", onsubmit: (event) => event.preventDefault() },
    element("label", { class: "wide" }, "Search", element("input", { type: "search", value: choice.q, oninput: chosen("q"), placeholder: "part of a name" })),
    pick("stream", "Stream", [["", "all"], ...streams.map((one) => [one.name, one.name])]),
    pick("sort", "Sort by", Object.entries(SORTS)),
    pick("order", "Order", [["up", "least first"], ["down", "most first"]]));
}

function card(stream) {
  const networks = Object.entries(stream.networks).map(([kind, version]) => `${kind} ${version}`);
  return element("section", { class: "card", "aria-label": `Stream ${stream.name}` },
    element("h2", {}, stream.name),
    element("p", {}, `${stream.series.toLocaleString("en")} series, `, element("span", { "data-rate": stream.name }, `${stream.samples.toLocaleString("en")} samples`)),
    element("p", {}, `Forecasts are ${unbroken(stream.words)}.`),
    element("p", { class: "soft" }, `Networks: ${[networks.join(", "), stream.training].filter(Boolean).join("; ")}.`),
    stream.rejected.length ? rejections(stream.rejected) : null);
}

function rejections(some) {
  const count = some.reduce((sum, one) => sum + one.messages, 0);
  const lines = some.map((one) => element("li", {}, `${one.messages.toLocaleString("en")} ${one.reason}: ${one.meaning} ${one.remedy}`));
  return element("details", {}, element("summary", { class: "bad" }, `${count === 1 ? "1 message was" : `${count.toLocaleString("en")} messages were`} rejected: why, and what to do`), element("ul", { class: "plain" }, ...lines));
}

// A line of the list, which forecasts redraw.
class Row {
  // heard: when its newest sample came, where that was while somebody looked. Its time may be of another clock.
  constructor(one, missed, heard) {
    [this.one, this.missed, this.heard] = [one, missed, heard];
    this.told = one.forecast?.time;
    this.curve = element("td", { class: "curve" });
    this.value = element("td", { class: "number", "data-label": "now" });
    const label = (name) => ({ class: "number", "data-label": name });
    this.age = element("td", label("last sample"));
    const better = one.skill.persistence > 0.005 ? "good" : one.skill.persistence < -0.005 ? "bad" : "";
    this.line = element("tr", {},
      element("td", { class: "name" }, element("a", { href: `#/series/${one.id}` }, one.name), element("div", { class: "soft" }, one.stream)),
      this.curve, this.value,
      element("td", { class: `words ${better}` }, unbroken(one.words)),
      element("td", { "data-label": "threshold" }, crossing(one.threshold) || element("span", { class: "soft" }, "–")),
      this.age);
    this.draw();
  }

  forecast(forecast) {
    const { history } = this.one;
    const last = history.times.at(-1);
    if (this.told !== undefined && forecast.time !== this.told) this.heard = performance.now();
    this.told = forecast.time;
    this.one.forecast = forecast;
    if (last !== undefined && forecast.time > last + 1.5 * forecast.interval) { // samples came in between
      this.age.textContent = "now";
      this.value.textContent = number(first(forecast.value)[0]);
      this.missed();
      return;
    }
    if (last === undefined || forecast.time > last) {
      history.times.push(forecast.time);
      history.values.push(first(forecast.value)[0]);
      if (history.times.length > POINTS) { history.times.shift(); history.values.shift(); }
    }
    this.draw();
  }

  draw() {
    const age = this.heard === undefined ? this.one.age : (performance.now() - this.heard) / 1000;
    this.age.textContent = age < 2 ? "now" : `${lasting(age)} ago`;
    this.value.textContent = number(this.one.forecast ? first(this.one.forecast.value)[0] : this.one.value);
    this.curve.replaceChildren(spark(this.one.history, this.one.forecast), element("span", { class: "skip" }, told(this.one.forecast)));
  }
}
