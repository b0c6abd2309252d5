// Which page is shown, and what all of them hear of the daemon.
import { overview } from "./overview.js";
import { series } from "./series.js";
import { trainings } from "./trainings.js";
import { element } from "./tools.js";

const main = document.getElementById("main");
const notice = document.getElementById("notice");
let close = () => {};
let before = null;
let turn = 0;

// A swap, or the end of a training, is news on every page.
export function daemon(moment) {
  for (const [stream, networks] of Object.entries(moment.networks)) {
    for (const [kind, version] of Object.entries(networks)) {
      if (before && before.networks[stream]?.[kind] !== version) {
        notify(`Stream ${stream}: version ${version} of the ${kind} network has gone live`);
      }
    }
  }
  before = moment;
}

export function notify(text) {
  notice.textContent = text;
  setTimeout(() => { if (notice.textContent === text) notice.textContent = ""; }, 8000);
}

async function show() {
  const mine = ++turn;
  close();
  close = () => {};
  const [, page, id] = location.hash.split("/");
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#/${page === "trainings" ? page : ""}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const made = page === "series" ? series : page === "trainings" ? trainings : overview;
  const box = element("div");
  main.replaceChildren(box);
  try {
    const end = await made(box, id);
    if (mine === turn) close = end;
    else end();
  } catch (error) {
    if (mine === turn) box.replaceChildren(element("p", { role: "alert" }, `There is nothing to show: ${error.message}. `), element("a", { href: "#/" }, "All series"));
  }
}

addEventListener("hashchange", () => { show(); main.focus(); });
show();
