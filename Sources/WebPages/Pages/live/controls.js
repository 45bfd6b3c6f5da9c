// The form that shows and changes the view.

import { element, setText, visible } from "./text.js";

/** Locations beyond this number are found by typing, not by scrolling. */
const listed = 200;

export class Controls {
  #form = document.getElementById("controls");
  #list = document.getElementById("places-list");
  #find = document.getElementById("places-find");
  #places = new Map(); // oid → name or null
  #chosen = new Set();
  #onChange;

  /** @param onChange is called with the changed properties of the view. */
  constructor(onChange) {
    this.#onChange = onChange;
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    this.#form.addEventListener("change", (event) => this.#take(event.target));
    this.#find.addEventListener("input", () => this.#drawPlaces());
    document.getElementById("places-none").addEventListener("click", () => this.#choose([]));
    this.#closePlacesWhenLeft();
  }

  show(view) {
    const fields = this.#form.elements;
    const span = view.window === null ? "between" : view.window;
    this.#mark("span", span);
    this.#mark("group", view.group);
    this.#mark("view", view.view);
    if (![...fields.n.options].some((option) => option.value === String(view.n))) {
      fields.n.append(element("option", {}, String(view.n)));
    }
    fields.n.value = String(view.n);
    document.getElementById("between").hidden = view.window !== null;
    fields.from.value = local(view.from);
    fields.to.value = local(view.to);
    this.#chosen = new Set(view.locations);
    this.#drawPlaces();
  }

  /** The known locations: [{oid, name}]. */
  setPlaces(places) {
    for (const { oid, name } of places) {
      if (!this.#places.has(oid) || name !== null) this.#places.set(oid, name);
    }
    this.#drawPlaces();
  }

  #mark(name, value) {
    for (const radio of this.#form.querySelectorAll(`input[name="${name}"]`)) radio.checked = radio.value === value;
  }

  #take(field) {
    switch (field.name) {
      case "span":
        if (field.value === "between") {
          const to = new Date();
          this.#onChange({ window: null, from: new Date(to - 3_600_000).toISOString(), to: to.toISOString() });
          this.#form.elements.from.focus();
        } else {
          this.#onChange({ window: field.value, from: null, to: null });
        }
        break;
      case "from":
      case "to":
        if (field.value) this.#onChange({ [field.name]: new Date(field.value).toISOString() });
        break;
      case "place":
        this.#choose(
          field.checked ? [...this.#chosen, field.value] : [...this.#chosen].filter((oid) => oid !== field.value),
        );
        break;
      case "n":
      case "group":
      case "view":
        this.#onChange({ [field.name]: field.value });
    }
  }

  #choose(oids) {
    this.#chosen = new Set(oids);
    this.#drawPlaces();
    this.#onChange({ locations: [...this.#chosen] });
  }

  #drawPlaces() {
    const [first] = this.#chosen;
    setText(
      document.getElementById("places-chosen"),
      this.#chosen.size === 0 ? "Every location"
        : this.#chosen.size === 1 ? visible(this.#nameOf(first))
        : `${this.#chosen.size} locations`,
    );
    const wanted = this.#find.value.trim().toLocaleLowerCase();
    const all = new Set([...this.#chosen, ...this.#places.keys()]);
    const found = [...all].filter((oid) => oid === wanted || this.#nameOf(oid).toLocaleLowerCase().includes(wanted));
    found.sort((a, b) => this.#nameOf(a).localeCompare(this.#nameOf(b), undefined, { numeric: true }));

    const shown = found.slice(0, listed);
    const old = new Map([...this.#list.children].map((item) => [item.oid, item]));
    const items = shown.map((oid) => this.#item(oid, old.get(oid)));
    // Replace the list only if it differs, so that the focus stays.
    if (items.length !== old.size || items.some((item, index) => this.#list.children[index] !== item)) {
      this.#list.replaceChildren(...items);
    }
    const more = document.getElementById("places-more");
    more.hidden = found.length > 0 && shown.length === found.length;
    setText(more, found.length === 0 ? "No location of that name." : `${found.length - shown.length} more: type part of the name.`);
  }

  #item(oid, old) {
    const item = old ?? element(
      "li", {}, element("label", {}, element("input", { type: "checkbox", name: "place", value: oid }), element("bdi", { dir: "auto" })),
    );
    item.oid = oid;
    item.querySelector("input").checked = this.#chosen.has(oid);
    setText(item.querySelector("bdi"), visible(this.#nameOf(oid)));
    return item;
  }

  #nameOf(oid) {
    return this.#places.get(oid) ?? `Location ${oid}`;
  }

  #closePlacesWhenLeft() {
    const places = document.getElementById("places");
    places.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !places.open) return;
      places.open = false;
      places.querySelector("summary").focus();
    });
    document.addEventListener("pointerdown", (event) => {
      if (!places.contains(event.target)) places.open = false;
    });
    places.addEventListener("focusout", (event) => {
      if (event.relatedTarget && !places.contains(event.relatedTarget)) places.open = false;
    });
  }
}

/** An RFC 3339 time as a local time for the form; empty if it is not a time. */
function local(text) {
  const date = new Date(text ?? NaN);
  if (Number.isNaN(date.getTime())) return "";
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
