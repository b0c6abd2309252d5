// One series: past and forecast, who speaks and why, how good it is.
import { daemon } from "./app.js";
import { Before } from "./before.js";
import { Errors, Weights, colourOf, legend, told } from "./charts.js";
import { Fan } from "./fan.js";
import { Live } from "./live.js";
import { api, band, called, crossing, element, first, lasting, number, share, unbroken } from "./tools.js";

const POINTS = 300;
const REFRESH_MS = 5000;
const EVEN = 0.005; // skill that cannot be told from none
const OFF = 0.1; // share of values by which a band may miss its promise

export async function series(box, id) {
  const [one, history, { streams }] = await Promise.all([api(`series/${id}`), api(`series/${id}/history?points=${POINTS}`), api("streams")]);
  const stream = streams.find((each) => each.name === one.stream);
  const models = stream?.models ?? Object.keys(one.errors);
  document.title = `${one.name} – Streamer`;
  const words = element("p");
  const reading = element("p", { class: "soft", "aria-live": "off" });
  const place = (label) => element("div", { class: "chart", role: "img", "aria-label": label });
  const [fan, weights, errors] = [place("Past and forecast"), place("Weights by lead"), place("Errors by lead")];
  const [who, how] = [element("div"), element("div")];
  const [trust, facts] = [element("section", { class: "card" }), element("section", { class: "card" })];
  const before = new Before(id, one.shown, (still) => {
    if (still) charts.fan.show(still.history, still.forecast, still.before, still.line);
    else charts.fan.show(history, one.forecast);
  });
  const labels = Object.entries(one.labels).map(([name, value]) => `${name}: ${value}`).join(", ");
  box.append(
    element("p", {}, element("a", { href: "#/" }, "All series"), ` · stream ${one.stream}`, labels && ` · ${labels}`),
    element("h1", {}, one.name), words,
    element("section", { class: "card" }, element("h2", {}, "Past and forecast"), fan, reading, before.box),
    element("div", { class: "charts" }, trust,
      element("section", { class: "card" }, element("h2", {}, "Mean absolute error, by lead"), errors, how),
      element("section", { class: "card" }, element("h2", {}, "Who speaks: weights in the published forecast, by lead"), weights, who),
      facts));

  const charts = { fan: new Fan(fan, one.thresholds), weights: new Weights(weights), errors: new Errors(errors) };
  charts.fan.told = (index) => { reading.textContent = at(charts.fan.data, index) || hint(one, charts.fan); };
  let asked = 0;
  const catchUp = async (forecast) => { // more samples have come than forecasts were sent
    if (performance.now() - asked < 900) return;
    asked = performance.now();
    const found = await api(`series/${id}/history?points=${POINTS}`).catch(() => history);
    const count = found.times.filter((time) => time <= forecast.time).length;
    for (const name of ["ticks", "times", "values"]) history[name] = found[name].slice(0, count);
    history.clipped = found.clipped;
    draw(forecast);
  };
  const draw = (forecast) => {
    one.forecast = forecast;
    words.textContent = sentence(one);
    if (!before.found) charts.fan.show(history, forecast);
    fan.setAttribute("aria-label", `Past and forecast: ${told(forecast)}`);
  };
  const redraw = (forecast) => {
    if (!forecast) return;
    const last = history.times.at(-1);
    if (last !== undefined && forecast.time > last + 1.5 * forecast.interval) {
      catchUp(forecast);
      return;
    }
    if (last === undefined || forecast.time > last) {
      history.ticks.push((history.ticks[history.ticks.length - 1] ?? 0) + 1);
      history.times.push(forecast.time);
      history.values.push(first(forecast.value)[0]);
      for (const some of [history.ticks, history.times, history.values]) if (some.length > POINTS) some.shift();
    }
    draw(forecast);
  };
  const explain = (found) => {
    one.words = found.words;
    words.textContent = sentence(one);
    charts.weights.show(found.leads, found.weights, models);
    const shown = ["mix", ...Object.keys(found.skill)].filter((each) => found.errors[each]);
    if (shown.length) charts.errors.show(found.leads, found.errors, shown, models);
    const heard = charts.weights.models.filter((each) => Math.max(...found.weights[each]) >= 0.02);
    who.replaceChildren(legend(heard.map((each) => [colourOf(each, models), `${called(each)}: ${share(found.weights[each][0])} for the next tick, ${share(found.weights[each].at(-1))} for the last`])));
    how.replaceChildren(legend(shown.map((each) => [colourOf(each, models), `${called(each)}: ${number(found.errors[each][0])} to ${number(found.errors[each].at(-1))}`])));
    weights.setAttribute("aria-label", `Weights by lead: ${who.textContent}`);
    errors.setAttribute("aria-label", `Errors by lead: ${how.textContent}`);
    trust.replaceChildren(element("h2", {}, "Can it be trusted?"), element("p", { class: "verdict" }, verdict(found)), ...scores(found));
    facts.replaceChildren(...about(found, stream));
  };
  draw(one.forecast);
  explain(one);
  reading.textContent = hint(one, charts.fan);
  const live = new Live([one.id], redraw, daemon);
  const again = setInterval(() => { if (!document.hidden) api(`series/${id}`).then(explain).catch(() => {}); }, REFRESH_MS);
  return () => { clearInterval(again); live.close(); for (const each of Object.values(charts)) each.close(); };
}

function sentence(one) {
  const reaches = one.forecast && one.forecast.interval ? `The next ${lasting(one.forecast.mean.length * one.forecast.interval)}: ${told(one.forecast)}. ` : "";
  return `${reaches}Its forecasts are ${unbroken(one.words)}.`;
}

function hint(one, fan) {
  const edges = one.forecast && band(one.forecast);
  const width = edges ? `, its band meant for ${share(edges.keys[1] - edges.keys[0])} of all values` : "";
  const gaps = fan.gaps.length ? " Grey: no samples." : "";
  const outside = fan.outside.length ? " Diamonds: values far outside; forecasters were given them clipped." : "";
  return `Solid: values as they came. Dashed: the forecast${width}.${gaps}${outside}`;
}

function at([x, value, mean, low, high], index) {
  if (index === null || index === undefined) return "";
  const when = new Date(x[index] * 1000).toLocaleString();
  const known = (some) => some[index] !== null && some[index] !== undefined;
  if (known(value)) return `${when}: ${number(value[index])}`;
  if (!known(mean)) return "";
  return known(low) ? `${when}: ${number(mean[index])}, between ${number(low[index])} and ${number(high[index])}` : `${when}: ${number(mean[index])}`;
}

function about(one, stream) {
  const list = (items) => element("ul", { class: "plain" }, ...items.map((each) => element("li", {}, each)));
  const networks = Object.entries(one.networks).map(([kind, version]) => `${called(kind)}: version ${version}`);
  return [
    ...(one.rejected.length ? [element("h2", { class: "bad" }, "Messages of its topic were rejected"), list(one.rejected.map((each) => `${each.reason}: ${each.meaning} ${each.remedy}`))] : []),
    ...(one.thresholds.length ? [element("h2", {}, "Thresholds"), list(one.thresholds.map(crossing))] : []),
    element("h2", {}, "Networks, and the data"),
    list([...networks, stream?.training ?? ""].filter(Boolean)),
    element("p", {}, "As CSV: ", element("a", { href: `api/v1/series/${one.id}/history?format=csv&points=10000` }, "history"), ", ",
      element("a", { href: `api/v1/series/${one.id}/forecast?format=csv` }, "forecast")),
  ];
}

// A sentence for those who want no table.
function verdict(one) {
  const at = (wanted) => (leads(one.shown.filter((_, i) => wanted(i))));
  const skills = Object.entries(one.skill);
  if (skills.every(([, found]) => found.every((each) => each === null))) return "Too early to say: too few forecasts have met their values.";
  const worse = skills.map(([name, found]) => [name, at((i) => found[i] !== null && found[i] < -EVEN)]).filter(([, some]) => some);
  const even = at((i) => one.skill.persistence?.[i] !== null && Math.abs(one.skill.persistence?.[i]) <= EVEN);
  const parts = [];
  if (worse.length) parts.push(...worse.map(([name, some]) => `Not at ${some}: there '${called(name)}' had less error.`));
  else if (even) parts.push(`No more than 'no change' at ${even}: nothing is known that predicts it better.`);
  else parts.push(`Yes, so far: at every lead shown it had less error than ${skills.map(([name]) => `'${called(name)}'`).join(" and ")}.`);
  for (const [level, found] of Object.entries(one.coverage)) {
    const off = at((i) => found[i] !== null && Math.abs(found[i] - level) > OFF);
    if (off) parts.push(`Its band for ${share(+level)} does not hold that at ${off}.`);
    else if (!found.includes(null)) parts.push(`Its band for ${share(+level)} of all values has held about as many.`);
  }
  return parts.join(" ");
}

const leads = (some) => (some.length ? `${some.join(" and ")} ticks ahead` : "");

// What has been measured so far, by lead: a promise is never shown without its price.
function scores(one) {
  const rows = Object.entries(one.skill).map(([name, found]) => [`Less error than '${called(name)}'`, found.map(share)]);
  for (const [level, found] of Object.entries(one.coverage)) {
    rows.push([`Values in the band for ${share(+level)}`, found.map(share)]);
    rows.push(["Winkler score of that band, over the error of 'no change'", one.winkler[level].map((each) => (each === null ? "–" : each.toFixed(2)))]);
  }
  const head = element("tr", {}, element("th", { scope: "col" }, "ticks ahead"), ...one.shown.map((lead) => element("th", { scope: "col" }, String(lead))));
  const lines = rows.map(([name, found]) => element("tr", {}, element("th", { scope: "row" }, name), ...found.map((each) => element("td", {}, each))));
  const few = Object.values(one.coverage).some((found) => found.includes(null));
  return [
    element("table", { class: "scores" }, element("caption", { class: "skip" }, "Scores by lead"), element("thead", {}, head), element("tbody", {}, ...lines)),
    element("p", { class: "soft" }, `Measured on its own values, after each forecast. A small Winkler score is a narrow band that holds.${few ? " –: too few values yet." : ""}`),
  ];
}
