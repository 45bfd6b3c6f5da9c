// The responses as they change: by the server's stream, else by polling. It retries without limit; only after a
// refused query it waits for another query.

import { ask, Refusal } from "./server.js";
import { events } from "./events.js";

const pollEvery = 1000;
const streamAgainAfter = 60_000;
const longestPause = 8000;
/** The stream sends an event or a comment at least this often; silence means a broken connection. */
const longestSilence = 45_000;

export class Feed {
  #handlers;
  #ended = new AbortController();
  #wake = () => {};

  /**
   * @param handlers `answer(body)`; `confirmed()` when the server has sent or confirmed data; `state(name, detail)`:
   *   connecting, live, polling, away, unavailable, refused, locked
   */
  constructor(handlers) {
    this.#handlers = handlers;
    for (const [target, event] of [[window, "online"], [document, "visibilitychange"]]) {
      target.addEventListener(event, () => document.visibilityState === "visible" && this.#wake());
    }
  }

  /** Follows another query from now on. */
  follow(query) {
    this.#ended.abort();
    this.#ended = new AbortController();
    this.#handlers.state("connecting");
    this.#run(query, this.#ended.signal);
  }

  async #run(query, signal) {
    let failures = 0;
    let noStreamUntil = 0;
    const memory = { id: null, etag: null };
    const received = (body) => {
      failures = 0;
      this.#handlers.answer(body);
    };
    while (!signal.aborted) {
      let pause = 0;
      try {
        if (performance.now() >= noStreamUntil) {
          await this.#stream(query, memory, received, signal);
          pause = 250; // the server ended the stream in order: it may be restarting
        } else {
          await this.#poll(query, memory, received, signal);
          pause = pollEvery;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (isNoStream(error)) {
          noStreamUntil = performance.now() + streamAgainAfter;
          continue;
        }
        failures += 1;
        pause = Math.min(longestPause, 250 * 2 ** Math.min(failures, 6)) * (0.75 + Math.random() / 2);
        if (error instanceof Refusal && !(error.status >= 500 || error.status === 429 || error.status === 410)) {
          return this.#handlers.state(error.status === 401 ? "locked" : "refused", error.message);
        }
        if (error instanceof Refusal && error.retryAfter !== null) pause = Math.max(pause, error.retryAfter * 1000);
        pause = Math.min(pause, longestPause);
        this.#handlers.state(error instanceof Refusal ? "unavailable" : "away", error.message);
      }
      await this.#sleep(pause, signal);
    }
  }

  async #stream(query, memory, received, signal) {
    const line = new AbortController();
    const hangUp = () => line.abort();
    signal.addEventListener("abort", hangUp);
    let timer;
    let hasBytes = false;
    const onPiece = () => {
      hasBytes = true;
      clearTimeout(timer);
      timer = setTimeout(hangUp, longestSilence);
      this.#handlers.confirmed();
    };
    try {
      timer = setTimeout(hangUp, longestSilence);
      const headers = { Accept: "text/event-stream" };
      if (memory.id) headers["Last-Event-ID"] = memory.id;
      const response = await ask("v1/top-items/stream", query, { headers, signal: line.signal });
      if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) throw new NoStream();
      // A stream that resumes at the last event sends nothing until something changes.
      if (memory.id) this.#handlers.state("live");
      for await (const event of events(response.body, onPiece)) {
        if (event.type === "top-items") {
          received(JSON.parse(event.data));
          if (event.id) memory.id = event.id;
          this.#handlers.state("live");
        } else if (event.type === "unavailable") {
          this.#handlers.state("unavailable");
        }
      }
    } catch (error) {
      // Not one byte: a proxy buffers the stream until its end, which never comes.
      if (line.signal.aborted && !signal.aborted && !hasBytes) throw new NoStream();
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", hangUp);
    }
  }

  async #poll(query, memory, received, signal) {
    const headers = memory.etag ? { "If-None-Match": memory.etag } : {};
    const response = await ask("v1/top-items", query, { headers, signal });
    if (response.status === 200) {
      received(await response.json());
      memory.etag = response.headers.get("ETag");
    }
    this.#handlers.confirmed();
    this.#handlers.state("polling");
  }

  #sleep(milliseconds, signal) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
      signal.addEventListener("abort", this.#wake, { once: true });
    });
  }
}

class NoStream extends Error {}

/** Whether the server, or a proxy, offers no stream, although it may respond to polling. */
function isNoStream(error) {
  if (error instanceof NoStream) return true;
  return error instanceof Refusal && ([405, 406, 501].includes(error.status) || error.type.endsWith("unknown-path"));
}
