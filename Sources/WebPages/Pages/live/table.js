// The same rankings as one table.

import { movement } from "./answer.js";
import { count, element, share, visible } from "./text.js";

/** More rows than this belong into a file, not on a page. */
const longest = 5000;

export class Table {
  #node;
  constructor(node) {
    this.#node = node;
  }

  show(answer) {
    const body = element("tbody");
    let left = longest;
    for (const group of answer.groups) {
      for (const row of group.rows.slice(0, left)) body.append(line(group, row));
      left = Math.max(0, left - group.rows.length);
    }
    const heads = ["Location", "Rank", "Item", "Detections", "Share", "Previous rank"];
    const number = new Set(["Rank", "Detections", "Share", "Previous rank"]);
    const table = element(
      "table",
      {},
      element("caption", { class: "hidden" }, "The most frequent items"),
      element("thead", {}, element("tr", {}, ...heads.map((text) => element("th", { scope: "col", class: number.has(text) && "number" }, text)))),
      body,
    );
    const scroll = this.#node.firstElementChild;
    const parts = [table];
    if (left === 0) parts.push(element("p", { class: "quiet note" }, `The first ${count(longest)} rows. The CSV has all of them.`));
    if (scroll?.classList.contains("scroll")) scroll.replaceChildren(...parts);
    else this.#node.replaceChildren(element("div", { class: "scroll card", tabindex: "0", role: "region", "aria-label": "The most frequent items" }, ...parts));
  }

  clear() {
    this.#node.replaceChildren();
  }
}

function line(group, row) {
  const move = movement(row);
  const before = move === "new" ? "new" : `${row.previousRank}${move === 0 ? "" : move > 0 ? " ▲" : " ▼"}`;
  return element(
    "tr",
    {},
    element("td", {}, element("bdi", { dir: "auto" }, visible(group.name))),
    element("td", { class: "number" }, String(row.rank)),
    element("th", { scope: "row" }, element("bdi", { class: "name", dir: "auto" }, visible(row.name))),
    element("td", { class: "number" }, count(row.count)),
    element("td", { class: "number" }, share(row.count / group.total)),
    element("td", { class: "number" }, before),
  );
}
