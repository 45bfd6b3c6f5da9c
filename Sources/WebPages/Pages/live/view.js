// The view is the page's address, in the API's parameters, so that a link is a view.

export const defaults = { locations: [], n: 10, window: "PT1H", from: null, to: null, group: "location", view: "bars" };

/** Parses an address's query. It passes invalid values on to the server, which returns the error. */
export function parse(search) {
  const query = new URLSearchParams(search);
  const view = { ...defaults, locations: [...new Set(query.getAll("location"))] };
  if (query.has("n")) view.n = query.get("n");
  if (query.has("window")) view.window = query.get("window");
  if (query.has("from") || query.has("to")) {
    view.from = query.get("from");
    view.to = query.get("to");
    view.window = null;
  }
  if (query.get("group") === "all") view.group = "all";
  if (query.get("view") === "table") view.view = "table";
  return view;
}

/** The page's query: only the differences from the defaults. */
export function search(view) {
  const query = shared(view, true);
  if (view.view !== defaults.view) query.set("view", view.view);
  const text = query.toString();
  return text ? `?${text}` : "";
}

/** The full parameters of the API, for links and other programs. */
export const apiQuery = (view) => shared(view, false);

/** The parameters of this page: the list with `others` and the ranks in the previous range. */
export function liveQuery(view) {
  const query = apiQuery(view);
  query.set("others", "true");
  query.set("compare", "previous");
  return query;
}

function shared(view, isShort) {
  const query = new URLSearchParams();
  for (const oid of view.locations) query.append("location", oid);
  if (!isShort || String(view.n) !== String(defaults.n)) query.set("n", view.n);
  if (view.window === null) {
    if (view.from !== null) query.set("from", view.from);
    if (view.to !== null) query.set("to", view.to);
  } else if (!isShort || view.window !== defaults.window) {
    query.set("window", view.window);
  }
  if (!isShort || view.group !== defaults.group) query.set("group", view.group);
  return query;
}
