// How the pages reach the API: relative to where they were loaded from, so that a proxy may give them any path.

const root = new URL("../", import.meta.url);
const keyName = "topitems.key";

export const address = (path, query) => {
  const url = new URL(path, root);
  if (query) url.search = query.toString();
  return url;
};

/** The key that this tab sends, if the server wants one. It ends with the tab, and is in no address. */
export const key = {
  get: () => {
    try {
      return sessionStorage.getItem(keyName);
    } catch {
      return null;
    }
  },
  set: (value) => {
    try {
      sessionStorage.setItem(keyName, value);
    } catch {
      // Storage is forbidden here: the server will ask again.
    }
  },
};

/** An answer that is none: the server's own words (RFC 9457) where it had any. */
export class Refusal extends Error {
  constructor(status, problem, retryAfter) {
    super(problem?.detail ?? problem?.title ?? `The server returned status ${status}.`);
    this.status = status;
    this.type = problem?.type ?? "";
    this.retryAfter = retryAfter;
  }
}

/**
 * Asks the server. A `Refusal` is thrown for every status but 200 and 304, a `TypeError` when nobody answers.
 */
export async function ask(path, query, { headers = {}, signal } = {}) {
  const secret = key.get();
  const response = await fetch(address(path, query), {
    headers: secret ? { ...headers, Authorization: `Bearer ${secret}` } : headers,
    signal,
    cache: "no-store", // the entity tags are our own business
    credentials: "same-origin",
  });
  if (response.ok || response.status === 304) return response;
  let problem = null;
  try {
    problem = await response.json();
  } catch {
    // A proxy's page, perhaps.
  }
  const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  throw new Refusal(response.status, problem, Number.isFinite(seconds) ? seconds : null);
}
