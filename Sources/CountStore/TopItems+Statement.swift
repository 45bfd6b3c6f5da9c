import Counting
import Postgres

extension CountStore {
  /// The columns: from, to, revision, watermark, state, unknown locations | location, its name, rank, item, count.
  ///
  /// The range is cut into pieces, each of the coarsest level that covers it: whole months in the middle, then days,
  /// hours and minutes towards its ends. A level's border is the unit's border *nearest* to the end, so that it may lie
  /// outside the range: what is too much is then subtracted (`sign`), which halves what has to be read. This is exact,
  /// as a coarser level is the sum of the finer one in every snapshot. With 500 items in every minute, a piece at either
  /// end has at most 30 minutes, 12 hours and 15 days, or what is not folded yet.
  static func statement(for query: TopItemsQuery) -> Query {
    let (from, to, span) = bounds(query.range)
    let locations: Value = query.locations.isEmpty ? .nullOf(.int64Array) : .int64Array(query.locations)
    let sums: Query =
      switch query.grouping {
      case .location: "SELECT place.location, item_id, item_count FROM place, LATERAL"
      case .all:
        "SELECT NULL::bigint AS location, item_id, sum(item_count)::bigint AS item_count FROM place, LATERAL"
      }
    return """
      WITH labels AS (\(unescaped: Label.sql)),
      asked AS (
        SELECT labels.*, \(locations)::bigint[] AS locations, coalesce(\(to), greatest(newest_window_end, \(from))) AS to_at,
               CASE WHEN \(span)::bigint IS NULL THEN \(from)
                    ELSE newest_window_end - \(span)::bigint * interval '1 microsecond' END AS from_at
        FROM labels),
      \(unescaped: RangePieces.sql),
      place(location) AS (
        SELECT unnest(locations) FROM asked
        UNION
        SELECT geographical_location_oid FROM counted_location WHERE (SELECT locations IS NULL FROM asked)),
      sums AS (
        \(sums) (
          SELECT item_id, sum(item_count)::bigint AS item_count FROM (
            \(unescaped: RangePieces.read("minute", "window_count"))
            UNION ALL \(unescaped: RangePieces.read("hour", "window_count_hour"))
            UNION ALL \(unescaped: RangePieces.read("day", "window_count_day"))
            UNION ALL \(unescaped: RangePieces.read("month", "window_count_month"))) AS windows
          GROUP BY item_id HAVING sum(item_count) > 0) AS counts
        \(unescaped: query.grouping == .all ? "GROUP BY item_id" : "")),
      -- Names are looked up only for what may be in the answer; they decide between items with the same count.
      best AS (
        SELECT location, item_id, item_count,
               rank() OVER (PARTITION BY location ORDER BY item_count DESC) AS item_rank
        FROM sums),
      ranked AS (
        SELECT location, item_name, item_count,
               row_number() OVER (PARTITION BY location ORDER BY item_count DESC, item_name COLLATE "C") AS item_rank
        FROM best JOIN item USING (item_id) WHERE best.item_rank <= \(Int64(query.n))),
      unknown AS (
        SELECT string_agg(location::text, ',') AS locations FROM place
        WHERE (SELECT locations IS NOT NULL FROM asked)
          AND NOT EXISTS (SELECT FROM location WHERE geographical_location_oid = place.location)
          AND NOT EXISTS (SELECT FROM counted_location WHERE geographical_location_oid = place.location))
      SELECT range.from_at, range.to_at, revision, watermark, \(unescaped: Label.state(to: "range.to_at")),
             unknown.locations, ranked.location, geographical_location, item_rank, item_name, item_count
      FROM range CROSS JOIN unknown
      LEFT JOIN ranked ON item_rank <= \(Int64(query.n))
      LEFT JOIN location ON geographical_location_oid = ranked.location
      ORDER BY ranked.location, item_rank
      LIMIT \(Int64(query.maximumRows) + 1)
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

/// How a range is cut into pieces, one level each.
enum RangePieces {
  /// CTEs after `asked(revision, watermark, from_at, to_at)`: `range`, with the bounds widened to what is still kept,
  /// and `piece(level, low, high, sign)`, whose signed sum is the range.
  ///
  /// Each level takes over between `a` and `b`, both borders of its unit and neither above its mark. Where they are the
  /// same, it has nothing to do, and the finer level has one piece instead of two. A range of up to half a unit is not
  /// worth the coarser level.
  static let sql = """
    mark AS (
      SELECT max(kept_from) FILTER (WHERE level = 'minute') AS minutes_from,
             max(kept_from) FILTER (WHERE level = 'hour') AS hours_from,
             max(folded_until) FILTER (WHERE level = 'hour') AS hours_until,
             max(folded_until) FILTER (WHERE level = 'day') AS days_until,
             max(folded_until) FILTER (WHERE level = 'month') AS months_until
      FROM rollup_mark),
    range AS (
      SELECT revision, watermark,
             CASE WHEN from_at < hours_from THEN date_trunc('day', from_at, 'UTC')
                  WHEN from_at < minutes_from THEN date_trunc('hour', from_at, 'UTC')
                  ELSE from_at END AS from_at,
             CASE WHEN to_at < hours_from THEN date_trunc('day', to_at + interval '1 day' - interval '1 us', 'UTC')
                  WHEN to_at < minutes_from THEN date_trunc('hour', to_at + interval '1 hour' - interval '1 us', 'UTC')
                  ELSE to_at END AS to_at
      FROM asked, mark),
    minutes AS (
      SELECT start AS a, greatest(to_at, start) AS b FROM range, greatest(from_at, '\(Timestamp.neverText)') AS start
      WHERE to_at IS NOT NULL),
    hours AS (\(border("hour", of: "minutes", half: "30 minutes"))),
    days AS (\(border("day", of: "hours", half: "12 hours"))),
    months AS (\(border("month", of: "days", half: "15 days"))),
    piece AS MATERIALIZED (
      SELECT level, least(x, y) AS low, greatest(x, y) AS high, CASE WHEN x < y THEN 1 ELSE -1 END AS sign
      FROM minutes, hours, days, months, LATERAL (VALUES
        ('minute', minutes.a, CASE WHEN hours.a < hours.b THEN hours.a ELSE minutes.b END),
        ('minute', CASE WHEN hours.a < hours.b THEN hours.b END, minutes.b),
        ('hour', hours.a, CASE WHEN days.a < days.b THEN days.a ELSE hours.b END),
        ('hour', CASE WHEN days.a < days.b THEN days.b END, hours.b),
        ('day', days.a, CASE WHEN months.a < months.b THEN months.a ELSE days.b END),
        ('day', CASE WHEN months.a < months.b THEN months.b END, days.b),
        ('month', months.a, months.b)) AS span(level, x, y)
      WHERE x <> y)
    """

  private static func border(_ unit: String, of finer: String, half: String) -> String {
    func nearest(_ time: String) -> String {
      "least(date_trunc('\(unit)', \(time) + interval '\(half)', 'UTC'), \(unit)s_until)"
    }
    return """
      SELECT \(nearest("a")) AS a, \(nearest("CASE WHEN b - a <= interval '\(half)' THEN a ELSE b END")) AS b
      FROM \(finer), mark
      """
  }

  /// The signed counts of one location in the pieces of a level.
  static func read(_ level: String, _ table: String) -> String {
    """
    SELECT stored.item_id, sign * stored.item_count AS item_count FROM piece JOIN \(table) AS stored
      ON geographical_location_oid = place.location AND window_start >= low AND window_start < high
    WHERE level = '\(level)'
    """
  }
}
