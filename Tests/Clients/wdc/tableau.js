// In place of Tableau's own script: the side of the connector of the protocol that Tableau speaks with a page. Messages
// are JSON texts {msgName, msgData, props, version}, to the window that opened or holds this one, and back.
"use strict";
(() => {
  const version = "2.3.0";
  const host = window.opener ?? window.parent;
  const props = {
    connectionName: "", connectionData: "", username: "", usernameAlias: "", password: "", incrementalExtractColumn: "",
    versionNumber: version, locale: "en-us", authPurpose: "ephemeral", authType: "none",
  };
  let connector = null;
  let phase = null;
  const send = (msgName, msgData = {}) => host.postMessage(JSON.stringify({ msgName, msgData, props, version }), "*");

  const words = (...names) => Object.fromEntries(names.map((name) => [name, name]));
  window.tableau = {
    authTypeEnum: words("none", "basic", "custom"),
    phaseEnum: { interactivePhase: "interactive", authPhase: "auth", gatherDataPhase: "gatherData" },
    dataTypeEnum: words("bool", "date", "datetime", "float", "int", "string", "geometry"),
    columnRoleEnum: words("dimension", "measure"),
    get phase() { return phase; },
    makeConnector: () => ({ init: (callback) => callback(), shutdown: (callback) => callback() }),
    registerConnector: (made) => {
      for (const name of ["init", "shutdown", "getSchema", "getData"]) {
        if (typeof made[name] !== "function") throw new Error(`the connector has no ${name}`);
      }
      connector = made;
    },
    submit: () => send("submit"),
    log: (message) => send("log", { logMsg: String(message) }),
    reportProgress: (message) => send("reportProgress", { progressMsg: String(message) }),
    abortWithError: (message) => send("abortWithError", { errorMsg: String(message) }),
    abortForAuth: (message) => send("abortForAuth", { msg: String(message) }),
  };
  for (const name of Object.keys(props)) {
    Object.defineProperty(window.tableau, name, {
      get: () => props[name],
      set: (value) => {
        if (typeof value !== "string") throw new TypeError(`tableau.${name} is a string`);
        props[name] = value;
      },
    });
  }

  const commands = {
    init: ({ phase: begun }) => {
      phase = begun;
      connector.init(() => send("initCallback"));
    },
    getSchema: () => connector.getSchema((schema, standardConnections = []) => send("_schemaCallback", { schema, standardConnections })),
    getData: ({ tablesAndIncrementValues }) => {
      // One table after the other, as Tableau does.
      const [first, ...others] = tablesAndIncrementValues;
      const { tableInfo, incrementValue } = first;
      const table = {
        tableInfo, incrementValue, isJoinFiltered: false, filterColumnId: "", filterValues: [],
        appendRows: (rows) => send("_tableDataCallback", { tableName: tableInfo.id, data: rows }),
      };
      connector.getData(table, () => {
        send("_dataDoneCallback", { tableName: tableInfo.id });
        if (others.length) commands.getData({ tablesAndIncrementValues: others });
      });
    },
    shutdown: () => connector.shutdown(() => send("shutdownCallback")),
  };
  addEventListener("message", (event) => {
    if (event.source !== host) return;
    const message = JSON.parse(event.data);
    Object.assign(props, message.props);
    commands[message.msgName](message.msgData);
  });
  addEventListener("DOMContentLoaded", () => {
    if (!connector) throw new Error("no connector is registered when the page has loaded");
    send("loaded");
  });
})();
