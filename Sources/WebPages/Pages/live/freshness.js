// The state of the connection and of the data, and what is wrong.

import { key } from "./server.js";
import { count, setText, time } from "./text.js";

const pills = {
  connecting: "Connecting…",
  live: "Live",
  polling: "Live, polling every second",
  away: "Server unreachable",
  unavailable: "Database unreachable",
  refused: "Request refused",
  locked: "Access token required",
};

const finalities = {
  open: ["open", "More events of this time range are expected."],
  settling: ["settling", "The time range has just ended; late events are likely."],
  final: ["final", "The time range ended a while ago; no more events are expected."],
};

export class Freshness {
  #connection = document.getElementById("connection");
  #asOf = document.getElementById("as-of");
  #trouble = document.getElementById("trouble");
  #state = "connecting";
  #confirmed = null;
  #lag = null;
  #lagAt = 0;

  /** @param onKey is called when the user has entered an access token. */
  constructor(onKey) {
    document.getElementById("key-form").addEventListener("submit", (event) => {
      event.preventDefault();
      key.set(document.getElementById("key").value);
      document.getElementById("key").value = "";
      onKey();
    });
  }

  get isLive() {
    return this.#state === "live" || this.#state === "polling";
  }

  /** The server has just confirmed the displayed data. */
  confirm() {
    this.#confirmed = new Date();
    this.#showTime();
  }

  setState(state, detail) {
    this.#state = state;
    this.#connection.dataset.state = state;
    setText(this.#connection, pills[state]);
    document.body.dataset.state = state;
    this.#showTrouble(detail);
    this.#showTime();
  }

  setAnswer(answer) {
    const [word, meaning] = finalities[answer.state] ?? [answer.state, ""];
    this.#lag = answer.lag;
    this.#lagAt = Date.now();
    const finality = document.getElementById("finality");
    setText(finality, word);
    finality.dataset.state = word;
    finality.title = meaning;
    setText(
      document.getElementById("fineprint"),
      answer.watermark ? `Complete up to ${time(answer.watermark)}.` : "",
    );
  }

  #showTrouble(detail) {
    const since = this.#confirmed ? ` This data is as of ${time(this.#confirmed)}.` : "";
    const text =
      this.#state === "away" ? `The server does not respond.${since} The page retries automatically.`
      : this.#state === "unavailable" ? `The server cannot reach its database.${since} The page recovers automatically.`
      : this.#state === "refused" ? (detail || "The server refused this request.")
      : this.#state === "locked" ? "This server requires an access token. The page stores it in this tab only."
      : "";
    this.#trouble.hidden = text === "";
    setText(document.getElementById("trouble-text"), text);
    document.getElementById("key-form").hidden = this.#state !== "locked";
  }

  #showTime() {
    // A change of the lag alone sends no event, so an old value is not shown.
    const isBehind = this.isLive && this.#lag > 0 && Date.now() - this.#lagAt < 15_000;
    const behind = isBehind ? ` · ${count(this.#lag)} messages behind` : "";
    setText(this.#asOf, this.#confirmed ? `as of ${time(this.#confirmed)}${behind}` : "");
  }
}
