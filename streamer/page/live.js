// Forecasts as they are made: events of the server, or, where it has no more of them to give, questions.
import { api } from "./tools.js";

const POLL_MS = 2000;
const state = document.getElementById("live");

export class Live {
  constructor(ids, onForecast, onDaemon) {
    this.ids = ids;
    this.onForecast = onForecast;
    this.onDaemon = onDaemon;
    this.open();
  }

  open() {
    this.source = new EventSource(`api/v1/events?ids=${this.ids.join(",")}`);
    this.source.onopen = () => { state.textContent = "live"; };
    this.source.addEventListener("forecast", (event) => this.onForecast(JSON.parse(event.data)));
    this.source.addEventListener("daemon", (event) => this.onDaemon(JSON.parse(event.data)));
    this.source.onerror = () => {
      state.textContent = "not connected, trying again";
      if (this.source.readyState === EventSource.CLOSED) this.timer = setTimeout(() => this.poll(), POLL_MS);
    };
  }

  async poll() {
    try {
      for (const id of this.ids.slice(0, 10)) this.onForecast(await api(`series/${id}/forecast`));
      state.textContent = "live, every few seconds";
    } catch {
      state.textContent = "not connected, trying again";
    }
    if (this.source) this.timer = setTimeout(() => this.poll(), POLL_MS);
  }

  close() {
    clearTimeout(this.timer);
    this.source.close();
    this.source = null;
  }
}
