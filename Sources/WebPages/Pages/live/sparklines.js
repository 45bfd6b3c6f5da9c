// A sparkline of the counts of each visible item. Requested rarely, since it is an ornament.

import { ask } from "./server.js";

const again = 15_000;
const width = 60;
const height = 18;

export class Sparklines {
  #onPaths;
  #query = null;
  #abort = new AbortController();
  #timer;
  #wanted = "";

  /** @param onPaths is called with a map of ranking keys to maps of item names to SVG paths. */
  constructor(onPaths) {
    this.#onPaths = onPaths;
    setInterval(() => document.visibilityState === "visible" && this.#request(), again);
  }

  /** @param parameters of the API, with the bucket; null for none. @param keys the visible rankings. */
  want(parameters, keys) {
    const query = parameters && new URLSearchParams(parameters);
    if (query && keys.length && keys[0] !== "all") {
      query.delete("location");
      for (const key of keys) query.append("location", key);
    }
    this.#query = keys.length ? query : null;
    if ((this.#query?.toString() ?? "") === this.#wanted) return;
    this.#wanted = this.#query?.toString() ?? "";
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#request(), 150);
  }

  async #request() {
    this.#abort.abort();
    if (!this.#query) return;
    this.#abort = new AbortController();
    try {
      const response = await ask("v1/top-items/series", this.#query, { signal: this.#abort.signal });
      this.#onPaths(paths((await response.json()).data));
    } catch {
      // The page is complete without them.
    }
  }
}

/** The bucket that gives a line some ten to sixty points. */
export function bucket(milliseconds) {
  const minutes = milliseconds / 60_000;
  if (minutes <= 30) return "1m";
  if (minutes <= 300) return "5m";
  return minutes <= 4320 ? "1h" : "1d";
}

function paths(data) {
  const rankings = new Map();
  for (const row of data) {
    const key = row.geographical_location_oid ?? "all";
    const items = rankings.get(key) ?? rankings.set(key, new Map()).get(key);
    const counts = items.get(row.item_name) ?? items.set(row.item_name, []).get(row.item_name);
    counts.push(row.item_count);
  }
  for (const items of rankings.values()) {
    for (const [name, counts] of items) items.set(name, path(counts));
  }
  return rankings;
}

function path(counts) {
  const largest = Math.max(1, ...counts);
  const step = width / Math.max(1, counts.length - 1);
  return counts
    .map((value, index) => `${index ? "L" : "M"}${(index * step).toFixed(1)} ${(height - 1 - (value / largest) * (height - 2)).toFixed(1)}`)
    .join("");
}
