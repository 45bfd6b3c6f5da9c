// The ranked bars: one card for each ranking, one line for each item. A line lives as long as its item is listed,
// so that a changed count moves a bar, and a changed rank moves a line.

import { movement } from "./answer.js";
import { count, element, setText, share, visible } from "./text.js";

const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Board {
  #node;
  #cards = new Map();
  #seen;

  /** @param onSeen is called when the visible cards change. */
  constructor(node, onSeen) {
    this.#node = node;
    this.#seen = new IntersectionObserver(
      (entries) => {
        for (const entry of entries) entry.target.card.isSeen = entry.isIntersecting;
        onSeen();
      },
      { rootMargin: "200px" },
    );
  }

  /** The keys of the visible or nearly visible cards. */
  get seen() {
    return [...this.#cards.values()].filter((card) => card.isSeen).map((card) => card.key);
  }

  show(answer) {
    this.#node.dataset.cards = answer.groups.length === 1 ? "one" : "many";
    const gone = new Set(this.#cards.keys());
    let place = this.#node.firstElementChild;
    for (const group of answer.groups) {
      let card = this.#cards.get(group.key);
      if (!card) {
        card = new Card(group.key);
        this.#cards.set(group.key, card);
        this.#seen.observe(card.node);
      }
      gone.delete(group.key);
      card.show(group);
      if (card.node === place) place = place.nextElementSibling;
      else this.#node.insertBefore(card.node, place);
    }
    for (const key of gone) {
      this.#seen.unobserve(this.#cards.get(key).node);
      this.#cards.get(key).node.remove();
      this.#cards.delete(key);
    }
  }

  clear() {
    this.show({ groups: [] });
  }

  /** Draws the sparklines: a map of card keys to maps of item names to SVG paths. */
  drawSparklines(paths) {
    for (const [key, items] of paths) this.#cards.get(key)?.drawSparklines(items);
  }
}

class Card {
  isSeen = false;
  #lines = new Map();
  #title = element("h2", { dir: "auto" });
  #total = element("p", { class: "total quiet" });
  #list = element("ol");
  #nothing = element("p", { class: "nothing quiet" }, "No detections in this time range.");

  constructor(key) {
    this.key = key;
    const id = `ranking-${key}`;
    this.#title.id = id;
    this.node = element("section", { class: "card", "aria-labelledby": id }, element("header", {}, this.#title, this.#total), this.#list, this.#nothing);
    this.node.card = this;
  }

  show(group) {
    setText(this.#title, visible(group.name));
    setText(this.#total, count(group.total));
    this.#total.setAttribute("aria-label", `${count(group.total)} detections`);
    this.#nothing.hidden = group.rows.length > 0;
    const largest = group.rows[0]?.count ?? 1;

    const before = [...this.#list.children].map((node) => node.line.name);
    const isMoved = before.length > 0 && group.rows.some((row, index) => before[index] !== row.name);
    const places = isMoved && !still.matches && this.isSeen ? this.#places() : null;

    const gone = new Set(this.#lines.keys());
    let place = this.#list.firstElementChild;
    for (const row of group.rows) {
      let line = this.#lines.get(row.name);
      if (!line) {
        line = new Line(row.name);
        this.#lines.set(row.name, line);
      }
      gone.delete(row.name);
      line.show(row, largest, group.total);
      if (line.node === place) place = place.nextElementSibling;
      else this.#list.insertBefore(line.node, place);
    }
    for (const name of gone) {
      this.#lines.get(name).node.remove();
      this.#lines.delete(name);
    }
    if (places) this.#glide(places);
  }

  drawSparklines(items) {
    for (const [name, line] of this.#lines) line.drawSparkline(items.get(name) ?? "");
  }

  #places() {
    const places = new Map();
    for (const line of this.#lines.values()) places.set(line, line.node.getBoundingClientRect().top);
    return places;
  }

  /** Animates every line from its former position to its present one; new ones fade in. */
  #glide(before) {
    const lines = [...this.#lines.values()];
    for (const line of lines) line.motion?.cancel();
    const after = lines.map((line) => line.node.getBoundingClientRect().top);
    lines.forEach((line, index) => {
      const way = (before.get(line) ?? NaN) - after[index];
      if (way === 0) return;
      const from = Number.isNaN(way) ? { opacity: 0 } : { transform: `translateY(${way}px)` };
      line.node.classList.toggle("rising", way > 0);
      line.motion = line.node.animate([from, {}], { duration: 450, easing: "cubic-bezier(.2,.8,.2,1)" });
    });
  }
}

class Line {
  #rank = element("span", { class: "rank" });
  #bar = element("span", { class: "fill" });
  #move = element("span", { class: "move" });
  #count = element("span", { class: "count" });
  #sparkline = document.createElementNS("http://www.w3.org/2000/svg", "path");

  constructor(name) {
    this.name = name;
    const label = element("bdi", { class: "name", dir: "auto" }, visible(name));
    if (name.length > 24) label.title = visible(name).slice(0, 500);
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    for (const [key, value] of [["class", "sparkline"], ["viewBox", "0 0 60 18"], ["preserveAspectRatio", "none"], ["aria-hidden", "true"]]) {
      svg.setAttribute(key, value);
    }
    svg.append(this.#sparkline);
    this.node = element("li", {}, this.#rank, element("span", { class: "track" }, this.#bar, label), svg, this.#move, this.#count);
    this.node.line = this;
  }

  show(row, largest, total) {
    setText(this.#rank, String(row.rank));
    setText(this.#count, count(row.count));
    this.#count.title = `${share(row.count / total)} of ${count(total)}`;
    this.#bar.style.transform = `translateX(${-100 * (1 - row.count / largest)}%)`;
    this.#showMove(movement(row));
  }

  drawSparkline(path) {
    if (this.#sparkline.getAttribute("d") !== path) this.#sparkline.setAttribute("d", path);
  }

  #showMove(ranks) {
    const [kind, text, words] =
      ranks === "new" ? ["new", "new", "new"]
      : ranks > 0 ? ["up", `▲${ranks}`, `up ${ranks}`]
      : ranks < 0 ? ["down", `▼${-ranks}`, `down ${-ranks}`]
      : ["", "", ""];
    if (this.#move.dataset.kind === kind && this.#move.dataset.text === text) return;
    Object.assign(this.#move.dataset, { kind, text });
    this.#move.title = words && `${words} since the previous range`;
    this.#move.replaceChildren(
      ...(text ? [element("span", { "aria-hidden": "true" }, text), element("span", { class: "hidden" }, words)] : []),
    );
  }
}
