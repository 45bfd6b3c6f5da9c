import Counting
import Postgres

/// The part of a statement that finds the items of a top list; the list itself and the series of its items share it.
///
/// Common table expressions, in this order: `labels`, `place(location)`, `asked`, `mark`, the pieces of the range,
/// `counted(location, item_id, item_count, total)`, which are all the items that the query is about, `ranked`,
/// of which the best are more than `n` if there is a tie, `top`, which is what is listed, and `unknown(locations)`.
struct Ranking {
  let query: TopItemsQuery

  /// SQL that is true where two rows belong to the same ranking.
  func sameRanking(_ a: String, _ b: String) -> String {
    query.grouping == .all ? "true" : "\(a).location = \(b).location"
  }

  var sql: Query {
    let locations = Self.locations(query)
    let (from, to, span) = Self.bounds(query.range)
    return """
      labels AS (\(unescaped: Label.sql)),
      place(location) AS (
        SELECT unnest(\(locations)::bigint[])
        UNION
        SELECT geographical_location_oid FROM counted_location WHERE \(locations)::bigint[] IS NULL),
      asked AS (
        SELECT coalesce(\(to), greatest(newest_window_end, \(from))) AS to_at,
               CASE WHEN \(span)::bigint IS NOT NULL THEN newest_window_end - \(span)::bigint * interval '1 microsecond'
                    ELSE coalesce(\(from), \(Self.first(query.range))) END AS from_at
        FROM labels),
      \(unescaped: RangePieces.marks),
      \(unescaped: RangePieces().sql),
      \(counted(as: "counted", of: RangePieces())),
      -- Names are looked up only for what may be in the answer; they decide between items with the same count.
      best AS (
        SELECT *, rank() OVER (PARTITION BY location ORDER BY item_count DESC) AS item_rank FROM counted),
      ranked AS (
        SELECT location, item_id, item_name, item_count, total,
               row_number() OVER (PARTITION BY location ORDER BY item_count DESC, item_name COLLATE "C") AS item_rank
        FROM best JOIN item USING (item_id) WHERE best.item_rank <= \(query.n)),
      top AS (SELECT * FROM ranked WHERE item_rank <= \(query.n) OR \(query.ties == .include)),
      unknown AS (
        SELECT string_agg(location::text, ',') AS locations FROM place
        WHERE \(locations)::bigint[] IS NOT NULL
          AND NOT EXISTS (SELECT FROM location WHERE geographical_location_oid = place.location)
          AND NOT EXISTS (SELECT FROM counted_location WHERE geographical_location_oid = place.location))
      """
  }

  /// All items that the query is about, with their counts in some pieces, and the location's total if it is asked
  /// for (it includes the items that do not match).
  func counted(as name: String, of pieces: RangePieces) -> Query {
    let sums: Query =
      switch query.grouping {
      case .location:
        "SELECT place.location, item_id, item_count FROM place, LATERAL (\(unescaped: pieces.sums)) AS counts"
      case .all:
        """
        SELECT NULL::bigint AS location, item_id, sum(item_count)::bigint AS item_count
        FROM place, LATERAL (\(unescaped: pieces.sums)) AS counts GROUP BY item_id
        """
      }
    let total = query.hasShare ? "sum(item_count) OVER (PARTITION BY location)::bigint" : "NULL::bigint"
    let all: Query = "SELECT *, \(unescaped: total) AS total FROM (\(sums)) AS sums"
    guard let prefix = query.itemPrefix else { return "\(unescaped: name) AS (\(all))" }
    return """
      \(unescaped: name) AS (
        SELECT counts.* FROM (\(all)) AS counts JOIN item USING (item_id) WHERE starts_with(item_name, \(prefix)))
      """
  }

  private static func locations(_ query: TopItemsQuery) -> Value {
    query.locations.isEmpty ? .nullOf(.int64Array) : .int64Array(query.locations)
  }

  /// The start of the first window that counts, for a range without a start. Months are kept longest, and may reach
  /// further back than what they consist of.
  private static func first(_ range: TopItemsRange) -> Query {
    guard case .between(nil, _) = range else { return "NULL" }
    let firsts = RollupLevel.tables.map { level, table in
      "(SELECT min(window_start) FROM \(table) WHERE geographical_location_oid = place.location) AS \(level)"
    }
    return """
      (SELECT min(CASE WHEN month + interval '1 month' <= fine THEN month ELSE coalesce(fine, month) END)
       FROM place, LATERAL (SELECT \(unescaped: firsts.joined(separator: ", "))) AS first,
            LATERAL (SELECT least(minute, hour, day) AS fine) AS finer)
      """
  }

  private static let longestSpan: Int64 = 2000 * 366 * 86_400_000_000

  private static func firstWindowStart(notBefore time: Timestamp) -> Timestamp {
    let start = Window.start(of: time)
    return start == time ? start : Timestamp(microseconds: start.microseconds &+ Window.length)
  }

  /// The asked bounds, widened to whole windows.
  private static func bounds(_ range: TopItemsRange) -> (from: Value, to: Value, span: Value) {
    func timestamp(_ time: Timestamp?) -> Value {
      time.map { .timestamp($0.microseconds) } ?? .nullOf(.timestamp)
    }
    switch range {
    case .newest(let span):
      // PostgreSQL's calendar begins in 4714 BC; nothing counted is older than the longest span that is used.
      let microseconds = min(span.microseconds, longestSpan)
      let (windows, rest) = microseconds.quotientAndRemainder(dividingBy: Window.length)
      let whole = (windows + (rest > 0 ? 1 : 0)) * Window.length
      return (.nullOf(.timestamp), .nullOf(.timestamp), .int64(whole))
    case .between(let from, let to):
      return (
        timestamp(from.map(Window.start(of:))), timestamp(to.map(firstWindowStart(notBefore:))),
        .nullOf(.int64)
      )
    }
  }
}
