// What is trained now, what came of trainings, and the networks that went live.
import { daemon } from "./app.js";
import { Live } from "./live.js";
import { api, called, drawn, element, lasting, number } from "./tools.js";

const REFRESH_MS = 3000;

export async function trainings(box) {
  document.title = "Trainings – Streamer";
  const now = element("p");
  const bar = element("progress", { max: 1, value: 0, "aria-label": "epochs of the training" });
  const [results, newest, networks] = [element("div", { class: "cards" }), element("div"), element("div")];
  box.append(element("h1", {}, "Trainings"), element("section", { class: "card", "aria-live": "polite" }, now, bar),
    element("h2", {}, "Since the start"), results, element("h2", {}, "The newest trainings"), newest, element("h2", {}, "Networks in the journal"), networks);

  const activity = (one, waiting) => {
    now.textContent = one ? `Stream ${one.stream} is trained on ${one.device || "a device that is being chosen"}: ${one.model ? `${called(one.model)}, epoch ${one.epoch} of ${one.epochs}` : "starting"}.` : "Nothing is trained now.";
    if (waiting.length) now.textContent += ` Waiting for their turn: ${waiting.join(", ")}.`;
    bar.hidden = !one?.epochs;
    if (one?.epochs) bar.value = one.epoch / one.epochs;
  };
  const refresh = async () => {
    const found = await api("trainings");
    activity(found.now, found.waiting);
    results.replaceChildren(...Object.entries(found.results).map(([stream, counts]) => element("section", { class: "card", "aria-label": stream },
      element("h2", {}, stream),
      element("p", {}, Object.entries(counts).map(counted).join(", ") || "no training has ended yet"),
      element("p", { class: "soft" }, `${lasting(found.seconds[stream])} spent on trainings`))));
    newest.replaceChildren(diary(found.trainings));
    networks.replaceChildren(table(found.networks));
  };
  await refresh();
  const live = new Live([], () => {}, (moment) => { daemon(moment); activity(moment.now, moment.waiting); });
  const again = setInterval(() => { if (!document.hidden) refresh().catch(() => {}); }, REFRESH_MS);
  return () => { clearInterval(again); live.close(); };
}

const CAUSES = { first: "the first one", growth: "enough new values", drift: "errors have grown" };

const OUTCOMES = { swapped: "went live", kept: "was no better than the live one" };

function counted([what, count]) {
  const [kind, result] = what.split(" ");
  return `${called(kind)} ${OUTCOMES[result] ?? `failed (${result})`} ${count === 1 ? "once" : `${count} times`}`;
}

function diary(trainings) {
  if (!trainings.length) return element("p", {}, "None since the start.");
  const head = ["Stream", "Began", "Took", "Cause", "Error after each epoch, on held-out ticks", "What came of it"].map((one) => element("th", { scope: "col" }, one));
  const rows = trainings.map((one) => element("tr", {},
    element("td", {}, one.stream), element("td", {}, new Date(one.begun * 1000).toLocaleString()),
    element("td", { class: "number", "data-label": "took" }, one.seconds === null ? "goes on" : lasting(one.seconds)),
    element("td", { "data-label": "cause" }, CAUSES[one.cause] ?? one.cause),
    element("td", { class: "curve" }, ...Object.entries(one.losses).map(([kind, losses]) => element("div", { class: "losses" }, curve(losses), element("span", {}, epochs(kind, losses))))),
    element("td", { class: "words" }, ...Object.entries(one.results).map(([kind, words]) => element("div", {}, `${called(kind)}: ${words}.`)))));
  return framed(head, rows);
}

function epochs(kind, losses) {
  return `${called(kind)}: ${number(losses[0])} to ${number(losses.at(-1))}${losses.length > 1 ? ` in ${losses.length} epochs` : ""}`;
}

function curve(losses) {
  const [low, high] = [Math.min(...losses), Math.max(...losses)];
  const points = losses.map((one, i) => `${(2 + (i / Math.max(1, losses.length - 1)) * 66).toFixed(1)},${(2 + (1 - (one - low) / (high - low || 1)) * 20).toFixed(1)}`);
  const picture = drawn("svg", { viewBox: "0 0 70 24", class: "loss", "aria-hidden": "true" });
  picture.append(drawn("polyline", { points: points.join(" ") }));
  return picture;
}

function framed(head, rows) {
  return element("div", { class: "frame" }, element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows)));
}

function table(networks) {
  if (!networks.length) return element("p", {}, "None yet. A network goes live when the gate finds it good enough on values that it was not trained on.");
  const head = ["Stream", "Network", "Version", "Since", "Gate"].map((one) => element("th", { scope: "col" }, one));
  const rows = networks.map((one) => element("tr", {},
    element("td", { "data-label": "stream" }, one.stream), element("td", {}, called(one.model)),
    element("td", { class: "number", "data-label": "version" }, `${one.version}${one.live ? " (live)" : ""}`),
    element("td", {}, new Date(one.created * 1000).toLocaleString()), element("td", { class: "words" }, one.words)));
  return framed(head, rows);
}
