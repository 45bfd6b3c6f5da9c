// The snippets page: one card for each tool, generated for the view in the page's address.

import { address } from "./server.js";
import { csvAddress, curl, importData, odataAddress, odataQuery, pbids, restQuery, sql, tds, windowSet } from "./snippets.js";
import { element, setText, visible } from "./text.js";
import { parse, search } from "./view.js";

const root = address("");
const view = parse(location.search);
const { unit } = windowSet(view);

const tools = [
  {
    id: "power-bi",
    name: "Power BI",
    parts: [
      text("The list of the page, as one table. It also refreshes in the Power BI service, without a gateway if the service can reach this server."),
      steps("Home → Get data → Blank query → Advanced Editor: replace the text with this query.", "Edit Credentials: Anonymous, or the credentials of a gateway in front of this server. Level: this server's address.", "Close & Apply."),
      snippet("Power Query of the list", restQuery(view, root)),
      heading(`One ranking for each ${unit}, for charts over time`),
      text("The filters run on the server. So do filters that you add in the editor, if they fold."),
      snippet("Power Query of the OData feed", odataQuery(view, root)),
      heading("Incremental refresh"),
      text("Create two parameters of type Date/Time, RangeStart and RangeEnd, use this query, and set incremental refresh on the table: it reads only new windows."),
      snippet("Power Query for incremental refresh", odataQuery(view, root, true)),
      downloads(["topitems.pbids", "application/json", pbids(root), "Open in Power BI Desktop (.pbids)"]),
    ],
  },
  {
    id: "excel",
    name: "Excel",
    parts: [
      steps("Data → Get Data → From Other Sources → From OData Feed: paste the address below.", "Anonymous, or the credentials of a gateway in front of this server.", "Load. Data → Refresh All reads it again."),
      snippet("OData address", odataAddress(view, root)),
      text("For the exact list of the page: Data → Get Data → From Other Sources → Blank Query → Advanced Editor, with the first query of Power BI above."),
    ],
  },
  {
    id: "tableau",
    name: "Tableau",
    parts: [
      text("Live on the PostgreSQL views, or an extract by OData or the web data connector; docs/connect/tableau.md lists which fits which version."),
      heading("OData feed"),
      steps("Connect → To a Server → OData: paste the address; choose the table of days, hours or minutes."),
      snippet("OData feed", String(address("odata/v4/"))),
      heading("Web data connector (before Tableau 2026.3)"),
      steps("Connect → To a Server → Web Data Connector: paste the address.", "Choose windows and locations there, and connect."),
      snippet("Web data connector", String(address("wdc/"))),
      downloads(["topitems.tds", "application/xml", tds(view, location.hostname), "Data source on the PostgreSQL views (.tds)"]),
      text("The file names this server as the database server: edit it in Tableau if PostgreSQL runs on another machine."),
    ],
  },
  {
    id: "sheets",
    name: "Google Sheets",
    parts: [
      text("Paste it into a cell. Google must reach this server; it refreshes about once an hour."),
      snippet("Formula", importData(view, root)),
    ],
  },
  {
    id: "csv",
    name: "CSV and curl",
    parts: [
      snippet("CSV address", csvAddress(view, root)),
      snippet("Command", curl(view, root)),
    ],
  },
  {
    id: "sql",
    name: "Grafana, Superset, Metabase",
    parts: [
      text("Connect with a role that may only read the schema bi."),
      snippet("SQL", sql(view)),
    ],
  },
];

describe();
document.getElementById("tools").append(
  ...tools.map(({ id, name, parts }) => element("section", { class: "card", id, "aria-labelledby": `${id}-name` }, element("h2", { id: `${id}-name` }, name), ...parts)),
);
document.getElementById("toc").append(...tools.map(({ id, name }) => element("li", {}, element("a", { href: `#${id}` }, name))));

function describe() {
  const places = view.locations.length === 0 ? "at every location" : `at ${view.locations.length === 1 ? "location" : "locations"} ${view.locations.slice(0, 5).join(", ")}${view.locations.length > 5 ? ", …" : ""}`;
  const span = view.window !== null ? `in the last ${view.window}` : `from ${view.from ?? "the beginning"} to ${view.to ?? "now"}`;
  const together = view.group === "all" ? ", all together" : "";
  setText(document.getElementById("view"), visible(`The top ${view.n} ${places}${together}, ${span}.`));
  for (const id of ["back", "home"]) document.getElementById(id).href = address(search(view));
}

function text(words) {
  return element("p", {}, words);
}

function heading(words) {
  return element("h3", {}, words);
}

function steps(...each) {
  return element("ol", { class: "steps" }, ...each.map((step) => element("li", {}, step)));
}

function snippet(label, code) {
  const button = element("button", { type: "button", "aria-label": `Copy: ${label}` }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code);
      setText(button, "Copied");
    } catch {
      // Not allowed, or not over TLS: select the text so that the user can copy it.
      getSelection().selectAllChildren(button.nextElementSibling);
      setText(button, "Selected: press Ctrl-C");
    }
    setText(document.getElementById("announcer"), `${label}: ${button.textContent}`);
    setTimeout(() => setText(button, "Copy"), 2000);
  });
  return element("div", { class: "snippet" }, button, element("pre", { tabindex: "0", role: "region", "aria-label": label }, element("code", {}, code)));
}

function downloads(...files) {
  return element("p", { class: "downloads" }, ...files.map(([name, type, content, label]) =>
    element("a", { download: name, href: URL.createObjectURL(new Blob([content], { type })) }, label)));
}
