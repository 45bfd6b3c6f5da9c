// The pages reach the API relative to their own address, so that a proxy may serve them under any path.

const root = new URL("../", import.meta.url);
const keyName = "topitems.key";

export const address = (path, query) => {
  const url = new URL(path, root);
  if (query) url.search = query.toString();
  return url;
};

/** The access token of this tab, if a gateway requires one. It ends with the tab, and is in no address. */
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
      // Storage is forbidden here: the page will prompt again.
    }
  },
};

/** An error response, with the problem document (RFC 9457) if there is one. */
export class Refusal extends Error {
  constructor(status, problem, retryAfter) {
    super(problem?.detail ?? problem?.title ?? `The server returned status ${status}.`);
    this.status = status;
    this.type = problem?.type ?? "";
    this.retryAfter = retryAfter;
  }
}

/**
 * Sends a request. Throws a `Refusal` for every status but 200 and 304, a `TypeError` without a response.
 */
export async function ask(path, query, { headers = {}, signal } = {}) {
  const secret = key.get();
  const response = await fetch(address(path, query), {
    headers: secret ? { ...headers, Authorization: `Bearer ${secret}` } : headers,
    signal,
    cache: "no-store", // this code handles the entity tags
    credentials: "same-origin",
  });
  if (response.ok || response.status === 304) return response;
  let problem = null;
  try {
    problem = await response.json();
  } catch {
    // No JSON: perhaps a proxy's page.
  }
  const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  throw new Refusal(response.status, problem, Number.isFinite(seconds) ? seconds : null);
}
