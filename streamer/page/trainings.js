// What is trained now, what came of trainings, and the networks that went live.
import { daemon } from "./app.js";
import { Live } from "./live.js";
import { api, called, element, lasting } from "./tools.js";

const REFRESH_MS = 3000;

export async function trainings(box) {
  document.title = "Trainings – Streamer";
  const now = element("p");
  const bar = element("progress", { max: 1, value: 0, "aria-label": "epochs of the training" });
  const [results, networks] = [element("div", { class: "cards" }), element("div")];
  box.append(element("h1", {}, "Trainings"), element("section", { class: "card", "aria-live": "polite" }, now, bar),
    element("h2", {}, "Since the start"), results, element("h2", {}, "Networks in the journal"), networks);

  const activity = (one, waiting) => {
    now.textContent = one ? `Stream ${one.stream} is trained on ${one.device || "a device"}: ${one.model ? `${called(one.model)}, epoch ${one.epoch} of ${one.epochs}` : "starting"}.` : "Nothing is trained now.";
    if (waiting) now.textContent += ` ${waiting} streams wait.`;
    bar.hidden = !one?.epochs;
    if (one?.epochs) bar.value = one.epoch / one.epochs;
  };
  const refresh = async () => {
    const found = await api("trainings");
    activity(found.now, found.waiting);
    results.replaceChildren(...Object.entries(found.results).map(([stream, counts]) => element("section", { class: "card", "aria-label": stream },
      element("h2", {}, stream),
      element("p", {}, Object.entries(counts).map(([what, count]) => `${what}: ${count}`).join(", ") || "no training has ended yet"),
      element("p", { class: "soft" }, `${lasting(found.seconds[stream])} spent on trainings`))));
    networks.replaceChildren(table(found.networks));
  };
  await refresh();
  const live = new Live([], () => {}, (moment) => { daemon(moment); activity(moment.now, moment.waiting); });
  const again = setInterval(() => { if (!document.hidden) refresh().catch(() => {}); }, REFRESH_MS);
  return () => { clearInterval(again); live.close(); };
}

function table(networks) {
  if (!networks.length) return element("p", {}, "None yet. A network goes live when the gate finds it good enough on values that it was not trained on.");
  const head = ["Stream", "Network", "Version", "Since", "Gate"].map((one) => element("th", { scope: "col" }, one));
  const rows = networks.map((one) => element("tr", {},
    element("td", { "data-label": "stream" }, one.stream), element("td", {}, called(one.model)),
    element("td", { class: "number", "data-label": "version" }, `${one.version}${one.live ? " (live)" : ""}`),
    element("td", {}, new Date(one.created * 1000).toLocaleString()), element("td", { class: "words" }, one.words)));
  return element("div", { class: "frame" }, element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows)));
}
