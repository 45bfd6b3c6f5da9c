// Converts a response of the API for the page. Oids stay text: a JavaScript number cannot hold a 64-bit integer.

/** A ranking over all locations has no oid; its key cannot be one. */
const together = "all";

/**
 * @returns {{groups: {key, oid, place, name, total, rows: {rank, name, count, previousRank}[]}[], total, from, to,
 *   watermark, state, lag}}
 */
export function read(body) {
  const { meta, data } = body;
  const groups = new Map();
  for (const row of data) {
    const key = row.geographical_location_oid ?? together;
    let group = groups.get(key);
    if (!group) {
      group = {
        key,
        oid: row.geographical_location_oid,
        place: row.geographical_location,
        name: groupName(row),
        total: 0,
        rows: [],
      };
      groups.set(key, group);
    }
    // An item that dropped out of the list since the previous range is a row, too; its count is part of `others`.
    if (row.item_rank === null && row.item_name !== null) continue;
    group.total += row.item_count;
    if (row.item_rank === null) continue; // the others, as one row
    group.rows.push({
      rank: row.item_rank,
      name: row.item_name,
      count: row.item_count,
      previousRank: row.previous_rank ?? null,
    });
  }
  return {
    groups: [...groups.values()],
    total: [...groups.values()].reduce((sum, group) => sum + group.total, 0),
    from: date(meta.from),
    to: date(meta.to),
    watermark: date(meta.watermark),
    state: meta.state,
    lag: meta.lag ?? null,
  };
}

function groupName(row) {
  if (row.geographical_location_oid === null) return "All together";
  return row.geographical_location ?? `Location ${row.geographical_location_oid}`;
}

const date = (text) => (text ? new Date(text) : null);

/** An item's change since the previous range: "new", a number of ranks (up is positive), or 0. */
export function movement(row) {
  return row.previousRank === null ? "new" : row.previousRank - row.rank;
}
