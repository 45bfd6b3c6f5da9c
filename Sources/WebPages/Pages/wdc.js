// The web data connector for Tableau (WDC 2.3). Not a module, and without the newest syntax: Tableau's browser may
// be some years old. Tableau's script, loaded before, defines `tableau`.
"use strict";

(function () {
  const root = new URL("../", document.currentScript.src);
  const rowsAtOnce = 5000;
  const lengths = { hour: 3600000, day: 86400000 };
  const byId = (id) => document.getElementById(id);

  const columns = (type) => [
    { id: "geographical_location_oid", dataType: type.string, alias: "Location oid" },
    { id: "geographical_location", dataType: type.string, alias: "Location" },
    { id: "window_start", dataType: type.datetime, alias: "Window start (UTC)" },
    { id: "window_end", dataType: type.datetime, alias: "Window end (UTC)" },
    { id: "item_rank", dataType: type.int, alias: "Rank", columnRole: "dimension" },
    { id: "item_name", dataType: type.string, alias: "Item" },
    { id: "item_count", dataType: type.int, alias: "Detections", columnRole: "measure" },
  ];

  if (typeof tableau === "undefined") {
    complain("Tableau's script could not be loaded. In Tableau, check its internet access; outside of Tableau, this page has no function.");
    return;
  }

  const connector = tableau.makeConnector();

  connector.init = async function (initCallback) {
    tableau.authType = tableau.authTypeEnum.custom;
    if (tableau.phase === tableau.phaseEnum.gatherDataPhase && !(await isKeyGood())) {
      // Only in this phase can Tableau prompt for the access token again.
      tableau.abortForAuth("The server rejects this access token.");
      return;
    }
    initCallback();
    if (tableau.phase !== tableau.phaseEnum.gatherDataPhase) showForm();
  };

  connector.getSchema = function (schemaCallback) {
    const type = tableau.dataTypeEnum;
    schemaCallback([
      {
        id: "top_items_by_window",
        alias: "Top items by window",
        description: "One list for each window that is final: its counts are not expected to change.",
        incrementColumnId: "window_start",
        columns: columns(type),
      },
      {
        id: "top_items_newest",
        alias: "Newest top items",
        description: "The list of the newest window, up to the last counted event.",
        columns: columns(type).concat([{ id: "state", dataType: type.string, alias: "State" }]),
      },
    ]);
  };

  connector.getData = async function (table, doneCallback) {
    try {
      const settings = JSON.parse(tableau.connectionData);
      if (table.tableInfo.id === "top_items_newest") await newest(settings, table);
      else await byWindow(settings, table);
    } catch (error) {
      tableau.abortWithError(`topitems: ${error.message}`);
      return; // and never `doneCallback`: the data is incomplete
    }
    doneCallback();
  };

  tableau.registerConnector(connector);

  // Data

  async function newest(settings, table) {
    const window = settings.unit === "day" ? "P1D" : "PT1H";
    const rows = [];
    await eachPage(Object.assign(apiQuery(settings), { window }), (page) => {
      for (const row of page.data) rows.push(Object.assign(record(row), { state: page.meta.state }));
    });
    append(table, rows);
  }

  /**
   * The lists of all final windows, from the end of the last refresh. Tableau appends rows and never requests them
   * again, so a window whose counts may still change must wait for the next refresh.
   */
  async function byWindow(settings, table) {
    const length = lengths[settings.unit];
    if (!length) throw new Error("another version created this data source; connect again");
    const today = Math.floor(Date.now() / lengths.day) * lengths.day;
    let start = today - settings.days * lengths.day;
    if (table.incrementValue) start = Math.max(start, after(table.incrementValue, length));
    let rows = [];
    for (let isFinal = true; isFinal && start <= Date.now(); start += length) {
      const from = rfc3339(start);
      const ofWindow = [];
      await eachPage(Object.assign(apiQuery(settings), { from, to: rfc3339(start + length) }), (page) => {
        isFinal = page.meta.state === "final";
        if (page.data.length > 0 && Date.parse(page.meta.from) !== start) {
          throw new Error(`the server no longer keeps ${settings.unit}s for ${from}; connect again with fewer days or longer windows`);
        }
        for (const row of page.data) ofWindow.push(record(row));
      });
      if (isFinal) rows = rows.concat(ofWindow);
      if (rows.length >= rowsAtOnce) rows = append(table, rows);
      tableau.reportProgress(`topitems: up to ${from}`);
    }
    append(table, rows);
  }

  /** The start of the window after the last one that Tableau has. Tableau returns the value in its own format. */
  function after(value, length) {
    const parts = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(\.\d+)?Z?$/.exec(String(value));
    if (!parts) throw new Error("Tableau's incremental value is not a time; run a full refresh");
    const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number);
    return Math.floor(Date.UTC(year, month - 1, day, hour, minute, second) / length) * length + length;
  }

  function append(table, rows) {
    for (let at = 0; at < rows.length; at += rowsAtOnce) table.appendRows(rows.slice(at, at + rowsAtOnce));
    return [];
  }

  function record(row) {
    return {
      geographical_location_oid: row.geographical_location_oid,
      geographical_location: row.geographical_location,
      window_start: tableauTime(row.window_start),
      window_end: tableauTime(row.window_end),
      item_rank: row.item_rank,
      item_name: row.item_name,
      item_count: row.item_count,
    };
  }

  const rfc3339 = (time) => new Date(time).toISOString().replace(".000Z", "Z");
  /** `yyyy-MM-dd HH:mm:ss` in UTC: the one format that every version of Tableau reads alike. */
  const tableauTime = (text) => new Date(text).toISOString().slice(0, 19).replace("T", " ");

  // The server

  function apiQuery(settings) {
    return { n: settings.n, group: settings.group, location: settings.locations, int64: "string" };
  }

  async function eachPage(parameters, take) {
    let cursor = null;
    do {
      const response = await ask("v1/top-items", cursor === null ? parameters : Object.assign({}, parameters, { cursor }));
      if (!response.ok) throw new Error(await reason(response));
      const page = await response.json();
      take(page);
      cursor = page.next_cursor;
    } while (cursor !== null && cursor !== undefined);
  }

  function ask(path, parameters) {
    const url = new URL(path, root);
    Object.keys(parameters || {}).forEach((name) => {
      [].concat(parameters[name]).forEach((value) => url.searchParams.append(name, value));
    });
    const headers = { Accept: "application/json" };
    if (tableau.password) headers.Authorization = `Bearer ${tableau.password}`;
    return fetch(url, { headers, credentials: "omit", cache: "no-store" });
  }

  async function reason(response) {
    try {
      const problem = await response.json();
      return problem.detail || problem.title || `the server returned status ${response.status}`;
    } catch (error) {
      return `the server returned status ${response.status}`;
    }
  }

  /** Whether the server accepts the access token. Without a response, reading the data will show the reason. */
  async function isKeyGood() {
    try {
      return (await ask("v1/top-items", { n: 1, group: "all" })).status !== 401;
    } catch (error) {
      return true;
    }
  }

  // The form

  function showForm() {
    const isForKeyOnly = tableau.phase === tableau.phaseEnum.authPhase;
    if (isForKeyOnly) document.querySelectorAll(".field").forEach((field) => (field.hidden = true));
    restore();
    byId("connect").disabled = false;
    byId("form").addEventListener("submit", (event) => {
      event.preventDefault();
      const settings = isForKeyOnly ? null : read();
      if (settings && settings.problem) return complain(settings.problem);
      tableau.connectionName = "topitems";
      if (settings) tableau.connectionData = JSON.stringify(settings);
      tableau.username = "";
      tableau.password = byId("key").value; // nowhere else: everything else is stored in workbooks
      tableau.submit();
    });
  }

  function read() {
    const locations = byId("locations").value.split(/[\s,]+/).filter(Boolean);
    const wrong = locations.find((oid) => !/^(0|-?[1-9][0-9]{0,18})$/.test(oid));
    if (wrong !== undefined) return { problem: `${wrong.slice(0, 50)} is not a location oid: oids are integers.` };
    return {
      n: Number(byId("n").value),
      unit: byId("unit").value,
      days: Number(byId("days").value),
      group: byId("group").value,
      locations,
    };
  }

  /** Restores the settings of a data source that is edited. */
  function restore() {
    let settings = {};
    try {
      settings = JSON.parse(tableau.connectionData);
    } catch (error) {
      return; // a new data source
    }
    for (const name of ["n", "unit", "days", "group"]) if (settings[name]) byId(name).value = settings[name];
    if (Array.isArray(settings.locations)) byId("locations").value = settings.locations.join(", ");
  }

  function complain(text) {
    byId("problem").textContent = text;
    byId("problem").hidden = false;
  }
})();
