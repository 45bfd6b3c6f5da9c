// The live page: follows the query in its address, and paints each response.

import { read } from "./answer.js";
import { Board } from "./board.js";
import { Controls } from "./controls.js";
import { Feed } from "./feed.js";
import { Freshness } from "./freshness.js";
import { address, ask } from "./server.js";
import { bucket, Sparklines } from "./sparklines.js";
import { Table } from "./table.js";
import { count, perTime, range, setText, visible } from "./text.js";
import { liveQuery, parse, apiQuery, search } from "./view.js";

const byId = (id) => document.getElementById(id);
const quietFor = 20_000;

let view = parse(location.search);
let answer = null;
let isPainting = false;
let announcement = { leaders: "", at: -quietFor };

const controls = new Controls(change);
const freshness = new Freshness(follow);
const bars = new Board(byId("lists"), wantSparklines);
const table = new Table(byId("lists"));
const sparklines = new Sparklines((paths) => view.view === "bars" && bars.drawSparklines(paths));
const feed = new Feed({
  answer(body) {
    answer = read(body);
    if (!isPainting) {
      isPainting = true;
      requestAnimationFrame(paint);
      // A page in the background gets no frames; it paints the newest response when it returns.
    }
  },
  confirmed: () => freshness.confirm(),
  state: (state, detail) => freshness.setState(state, detail),
});

controls.show(view);
follow();
askPlaces();
byId("copy").addEventListener("click", copyLink);
addEventListener("popstate", () => {
  view = parse(location.search);
  controls.show(view);
  repaint();
  follow();
});

/** Applies the user's changes to the view and the address. */
function change(changes) {
  const isOtherQuery = Object.keys(changes).some((name) => name !== "view");
  view = { ...view, ...changes };
  history.pushState(null, "", location.pathname + search(view));
  controls.show(view);
  if (isOtherQuery) follow();
  else repaint();
}

function follow() {
  announcement.at = -quietFor; // the user changed the view: announce at once
  byId("board").setAttribute("aria-busy", "true");
  link();
  feed.follow(liveQuery(view));
}

function link() {
  const query = apiQuery(view);
  byId("link-csv").href = address("v1/top-items.csv", query);
  byId("link-json").href = address("v1/top-items.json", query);
  byId("link-bi").href = address("bi/", query);
}

/** Paints the same response in the other view. */
function repaint() {
  (view.view === "table" ? bars : table).clear();
  if (answer) paint();
}

function paint() {
  isPainting = false;
  const lists = byId("lists");
  lists.dataset.view = view.view;
  (view.view === "table" ? table : bars).show(answer);
  summarize();
  freshness.setAnswer(answer);
  controls.setPlaces(answer.groups.filter(({ oid }) => oid !== null).map(({ oid, place }) => ({ oid, name: place })));
  byId("board").setAttribute("aria-busy", "false");
  announce();
  if (view.view === "bars") wantSparklines();
}

function summarize() {
  const { from, to, total, groups } = answer;
  setText(byId("total"), count(total));
  setText(byId("rate"), from && to ? perTime(total, to - from) : "–");
  byId("groups").parentElement.hidden = view.group === "all";
  setText(byId("groups"), count(groups.filter((group) => group.total > 0).length));
  setText(byId("range"), from && to ? range(from, to) : "–");
  const empty = byId("empty");
  empty.hidden = total > 0;
  setText(
    empty,
    answer.watermark === null
      ? "No detections yet. The first one appears here automatically."
      : "No detections in this time range. New ones appear here automatically.",
  );
}

/** Announces the leaders to screen readers: only when they change, and rarely. */
function announce() {
  const [group] = answer.groups;
  const first = group?.rows[0];
  const leaders = answer.groups.map(({ key, rows }) => `${key}=${rows[0]?.name}`).join("\n");
  const now = performance.now();
  if (leaders === announcement.leaders || now - announcement.at < quietFor) return;
  announcement = { leaders, at: now };
  setText(
    byId("announcer"),
    first
      ? `${count(answer.total)} detections in ${answer.groups.length} ${answer.groups.length === 1 ? "list" : "lists"}. First at ${visible(group.name)}: ${visible(first.name).slice(0, 100)}, ${count(first.count)}.`
      : "No detections in this time range.",
  );
}

function wantSparklines() {
  if (!answer?.from || view.view !== "bars") return;
  const query = apiQuery(view);
  query.set("bucket", bucket(answer.to - answer.from));
  sparklines.want(query, bars.seen);
}

async function askPlaces() {
  try {
    const { data } = await (await ask("v1/locations")).json();
    controls.setPlaces(data.map((row) => ({ oid: row.geographical_location_oid, name: row.geographical_location })));
  } catch {
    // The locations with counts can still be chosen.
  }
}

async function copyLink() {
  const button = byId("copy");
  try {
    await navigator.clipboard.writeText(location.href);
    setText(button, "Copied");
  } catch {
    setText(button, "Copy the address above"); // not allowed, or not over TLS
  }
  setTimeout(() => setText(button, "Copy link"), 2000);
}
