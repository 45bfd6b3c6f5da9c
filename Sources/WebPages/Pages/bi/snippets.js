// Queries for other tools that show the view of the page: pure functions of the view and the server's address. A
// value may come from a link that another person made, so each is escaped for its language.

import { apiQuery } from "./view.js";

/** A text literal of Power Query's M. */
export function mText(text) {
  const escaped = text
    .replaceAll('"', '""')
    .replaceAll("#(", "#(#)(")
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (c) => `#(${c.charCodeAt(0).toString(16).padStart(4, "0")})`);
  return `"${escaped}"`;
}

/** A word of a POSIX shell. */
export const shellWord = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** A text in an attribute or element of XML. Characters that XML has not become U+FFFD. */
export const xmlText = (text) =>
  text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd")
    .replace(/[&<>"'\t\n\r]/g, (c) => `&#${c.charCodeAt(0)};`);

/** A literal of SQL, with standard_conforming_strings. */
export const sqlText = (text) => `'${text.replaceAll("\0", "").replaceAll("'", "''")}'`;

const isOid = (text) => /^(0|-?[1-9][0-9]{0,18})$/.test(text);
const isTime = (text) => text !== null && !Number.isNaN(new Date(text).getTime());
const rank = (view) => (/^[1-9][0-9]{0,3}$/.test(String(view.n)) ? String(view.n) : "10");
const utc = (text) => new Date(text).toISOString().replace(".000Z", "Z");

/** The days, hours, minutes and seconds of an ISO 8601 duration, or null. */
export function duration(text) {
  const parts = /^P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?)?$/.exec(text ?? "");
  if (!parts || !parts.slice(1).some(Boolean)) return null;
  const [weeks, days, hours, minutes, seconds] = parts.slice(1).map((digits) => Number(digits ?? 0));
  return { days: 7 * weeks + days, hours, minutes, seconds };
}

/** The ranked set that fits the view: its windows are minutes, hours or days. */
export function windowSet(view) {
  const span = duration(view.window);
  const hours = span
    ? span.days * 24 + span.hours + span.minutes / 60
    : isTime(view.from) && isTime(view.to) ? (new Date(view.to) - new Date(view.from)) / 3_600_000 : 24;
  const unit = hours <= 0.5 ? "Minute" : hours <= 48 ? "Hour" : "Day";
  return { entitySet: `TopItemsBy${unit}`, sqlView: `bi.top_items_by_${unit.toLowerCase()}`, unit: unit.toLowerCase() };
}

/** Power Query: the exact list of the page, in pages. It also refreshes in the Power BI service. */
export function restQuery(view, root) {
  const fields = new Map();
  for (const [name, value] of apiQuery(view)) fields.set(name, [...(fields.get(name) ?? []), value]);
  const query = [...fields].map(([name, values]) =>
    `        ${name} = ${values.length === 1 ? mText(values[0]) : `{${values.map(mText).join(", ")}}`}`);
  return `let
    // The service refreshes a query whose address never changes: the rest stands in RelativePath and Query.
    Address = ${mText(trimmed(root))},
    Question = [
${query.join(",\n")}
    ],
    Page = (cursor as nullable text) as record =>
        Json.Document(Web.Contents(Address, [
            RelativePath = "v1/top-items",
            Query = if cursor = null then Question else Question & [cursor = cursor],
            ApiKeyName = "api_key"
        ]), TextEncoding.Utf8),
    Pages = List.Generate(
        () => Page(null),
        each _ <> null,
        each if [next_cursor] = null then null else Page([next_cursor])
    ),
    Columns = {
        "geographical_location_oid", "geographical_location", "window_start", "window_end",
        "item_rank", "item_name", "item_count"
    },
    Rows = Table.FromRecords(List.Combine(List.Transform(Pages, each [data])), Columns, MissingField.UseNull),
    // The oid stays text: a number of Power Query holds 15 digits, an oid may have 19.
    Typed = Table.TransformColumnTypes(Rows, {
        {"geographical_location_oid", type text}, {"geographical_location", type text},
        {"window_start", type datetimezone}, {"window_end", type datetimezone},
        {"item_rank", Int64.Type}, {"item_name", type text}, {"item_count", Int64.Type}
    }, "en-US")
in
    Typed`;
}

/** The OData address of the ranked windows, for any tool that reads OData feeds. */
export function odataAddress(view, root) {
  const conditions = [`item_rank le ${rank(view)}`];
  const oids = view.locations.filter(isOid);
  if (oids.length === 1) conditions.push(`geographical_location_oid eq ${oids[0]}`);
  if (oids.length > 1) conditions.push(`geographical_location_oid in (${oids.join(",")})`);
  if (isTime(view.from)) conditions.push(`window_start ge ${utc(view.from)}`);
  if (isTime(view.to)) conditions.push(`window_start lt ${utc(view.to)}`);
  const url = new URL(`odata/v4/${windowSet(view).entitySet}`, root);
  return `${url}?$filter=${encodeURIComponent(conditions.join(" and "))}`;
}

/** Power Query on OData: the server applies the filters. With `incremental`, for incremental refresh. */
export function odataQuery(view, root, incremental = false) {
  const { entitySet, unit } = windowSet(view);
  const conditions = [`[item_rank] <= ${rank(view)}`];
  const oids = view.locations.filter(isOid);
  if (oids.length) conditions.push(`(${oids.map((oid) => `[geographical_location_oid] = ${oid}`).join(" or ")})`);
  const span = duration(view.window);
  if (incremental) {
    conditions.push("[window_start] >= DateTime.AddZone(RangeStart, 0)", "[window_start] < DateTime.AddZone(RangeEnd, 0)");
  } else if (view.window !== null && span) {
    conditions.push("[window_start] >= Since");
  } else {
    if (isTime(view.from)) conditions.push(`[window_start] >= DateTimeZone.FromText(${mText(utc(view.from))})`);
    if (isTime(view.to)) conditions.push(`[window_start] < DateTimeZone.FromText(${mText(utc(view.to))})`);
  }
  const since = span && !incremental
    ? `\n    Since = DateTimeZone.UtcNow() - #duration(${span.days}, ${span.hours}, ${span.minutes}, ${span.seconds}),`
    : "";
  return `let${since}
    Source = OData.Feed(${mText(`${trimmed(root)}/odata/v4/`)}, null, [Implementation = "2.0"]),
    // One ranking for each location and ${unit}.
    Windows = Source{[Name = "${entitySet}", Signature = "table"]}[Data],
    Chosen = Table.SelectRows(Windows, each
        ${conditions.join("\n        and ")})
in
    Chosen`;
}

/** A file that Power BI Desktop opens as a new report on the OData feed. */
export function pbids(root) {
  const details = { protocol: "odata", address: { url: `${trimmed(root)}/odata/v4/` } };
  return `${JSON.stringify({ version: "0.1", connections: [{ details, options: {}, mode: "Import" }] }, null, 2)}\n`;
}

/** A file that Tableau opens as a live data source on the PostgreSQL views. */
export function tds(view, host) {
  const name = windowSet(view).sqlView.replace("bi.", "");
  return `<?xml version='1.0' encoding='utf-8' ?>
<datasource formatted-name='topitems' inline='true' version='18.1'>
  <connection class='postgres' dbname='topitems' one-time-sql='' port='5432' schema='bi' server='${xmlText(host)}' sslmode='prefer' username=''>
    <relation name='${name}' table='[bi].[${name}]' type='table' />
  </connection>
</datasource>
`;
}

/** The formula of a spreadsheet that reads CSV from the web. */
export function importData(view, root) {
  return `=IMPORTDATA("${csvAddress(view, root).replaceAll('"', "%22")}")`;
}

export function csvAddress(view, root) {
  return `${new URL("v1/top-items.csv", root)}?${apiQuery(view)}`;
}

export function curl(view, root) {
  const parts = [...apiQuery(view)].map(([name, value]) => `  --data-urlencode ${shellWord(`${name}=${value}`)}`);
  return [`curl --fail-with-body --get ${shellWord(String(new URL("v1/top-items.csv", root)))}`, ...parts].join(" \\\n");
}

/** The same from the views, for SQL tools: Grafana, Superset, Metabase, psql. */
export function sql(view) {
  const conditions = [`item_rank <= ${rank(view)}`];
  const oids = view.locations.filter(isOid);
  if (oids.length) conditions.push(`geographical_location_oid IN (${oids.join(", ")})`);
  if (view.window !== null && duration(view.window)) conditions.push(`window_start >= now() - interval ${sqlText(view.window)}`);
  if (isTime(view.from)) conditions.push(`window_start >= ${sqlText(utc(view.from))}`);
  if (isTime(view.to)) conditions.push(`window_start < ${sqlText(utc(view.to))}`);
  return `SELECT window_start, geographical_location, item_rank, item_name, item_count
FROM ${windowSet(view).sqlView}
WHERE ${conditions.join("\n  AND ")}
ORDER BY window_start, geographical_location_oid, item_rank;`;
}

const trimmed = (root) => String(root).replace(/\/+$/, "");
