// How fresh and how complete what is shown is, and what is wrong when it is not.

import { key } from "./server.js";
import { count, setText, time } from "./text.js";

const pills = {
  connecting: "Connecting…",
  live: "Live",
  polling: "Live, asking every second",
  away: "Server away",
  unavailable: "Data away",
  refused: "Cannot show this",
  locked: "Key needed",
};

const finalities = {
  open: ["open", "Events of this span are still expected."],
  settling: ["settling", "The span has just ended; late events are likely."],
  final: ["final", "The span ended a while ago; no more events are expected."],
};

export class Freshness {
  #connection = document.getElementById("connection");
  #asOf = document.getElementById("as-of");
  #trouble = document.getElementById("trouble");
  #state = "connecting";
  #confirmed = null;
  #lag = null;
  #told = 0;

  /** @param onKey is called when the reader has given a key. */
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

  /** The server has just said that what is shown holds. */
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
    this.#told = Date.now();
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
    const since = this.#confirmed ? ` What you see is as of ${time(this.#confirmed)}.` : "";
    const text =
      this.#state === "away" ? `The server does not answer.${since} This page tries again by itself.`
      : this.#state === "unavailable" ? `The server cannot reach its database.${since} This page goes on by itself when it is back.`
      : this.#state === "refused" ? (detail || "The server refuses this question.")
      : this.#state === "locked" ? "This server asks for a key. It is kept in this tab only."
      : "";
    this.#trouble.hidden = text === "";
    setText(document.getElementById("trouble-text"), text);
    document.getElementById("key-form").hidden = this.#state !== "locked";
  }

  #showTime() {
    // Nobody tells when the lag alone changes: an old one says nothing.
    const isBehind = this.isLive && this.#lag > 0 && Date.now() - this.#told < 15_000;
    const behind = isBehind ? ` · ${count(this.#lag)} messages behind` : "";
    setText(this.#asOf, this.#confirmed ? `as of ${time(this.#confirmed)}${behind}` : "");
  }
}
