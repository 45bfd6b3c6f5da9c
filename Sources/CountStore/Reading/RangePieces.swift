import Counting

/// How a range is cut into pieces, each of the coarsest level that covers it: whole months in the middle, then days,
/// hours and minutes towards its ends.
///
/// A level's border is the unit's border *nearest* to the end, so that it may lie outside the range: what is too much
/// is then subtracted (`sign`), which halves what has to be read. This is exact, as a coarser level is the sum of the
/// finer one in every snapshot. With 500 items in every minute, a piece at either end has at most 30 minutes, 12 hours
/// and 15 days, or what is not folded yet.
struct RangePieces {
  /// Put before the names of these common table expressions, so that a statement can have several ranges.
  var prefix = ""
  /// Has a row with `from_at` and `to_at`.
  var asked = "asked"
  /// `RangePieces.marks`, or fewer levels.
  var marks = "mark"

  /// How far each level reaches, and how far back it is kept.
  static let marks = """
    mark AS (
      SELECT max(kept_from) FILTER (WHERE level = 'minute') AS minutes_from,
             max(kept_from) FILTER (WHERE level = 'hour') AS hours_from,
             max(folded_until) FILTER (WHERE level = 'hour') AS hours_until,
             max(folded_until) FILTER (WHERE level = 'day') AS days_until,
             max(folded_until) FILTER (WHERE level = 'month') AS months_until
      FROM rollup_mark)
    """

  /// `range(from_at, to_at)`: the bounds widened to what is still kept; and `piece(level, low, high, sign)`, whose
  /// signed sum is the range.
  ///
  /// Each level takes over between `a` and `b`, both borders of its unit and neither above its mark. Where they are the
  /// same, it has nothing to do, and the finer level has one piece instead of two. A range of up to half a unit is not
  /// worth the coarser level.
  var sql: String {
    """
    \(prefix)range AS (
      SELECT CASE WHEN from_at < hours_from THEN date_trunc('day', from_at, 'UTC')
                  WHEN from_at < minutes_from THEN date_trunc('hour', from_at, 'UTC')
                  ELSE from_at END AS from_at,
             CASE WHEN to_at < hours_from THEN date_trunc('day', to_at + interval '1 day' - interval '1 us', 'UTC')
                  WHEN to_at < minutes_from THEN date_trunc('hour', to_at + interval '1 hour' - interval '1 us', 'UTC')
                  ELSE to_at END AS to_at
      FROM \(asked), \(marks)),
    \(prefix)minutes AS (
      SELECT start AS a, greatest(to_at, start) AS b
      FROM \(prefix)range, greatest(from_at, '\(Timestamp.neverText)') AS start WHERE to_at IS NOT NULL),
    \(prefix)hours AS (\(border("hour", of: "minutes", half: "30 minutes"))),
    \(prefix)days AS (\(border("day", of: "hours", half: "12 hours"))),
    \(prefix)months AS (\(border("month", of: "days", half: "15 days"))),
    \(prefix)piece AS MATERIALIZED (
      SELECT level, least(x, y) AS low, greatest(x, y) AS high, CASE WHEN x < y THEN 1 ELSE -1 END AS sign
      FROM \(prefix)minutes AS minutes, \(prefix)hours AS hours, \(prefix)days AS days, \(prefix)months AS months,
      LATERAL (VALUES
        ('minute', minutes.a, CASE WHEN hours.a < hours.b THEN hours.a ELSE minutes.b END),
        ('minute', CASE WHEN hours.a < hours.b THEN hours.b END, minutes.b),
        ('hour', hours.a, CASE WHEN days.a < days.b THEN days.a ELSE hours.b END),
        ('hour', CASE WHEN days.a < days.b THEN days.b END, hours.b),
        ('day', days.a, CASE WHEN months.a < months.b THEN months.a ELSE days.b END),
        ('day', CASE WHEN months.a < months.b THEN months.b END, days.b),
        ('month', months.a, months.b)) AS span(level, x, y)
      WHERE x <> y)
    """
  }

  private func border(_ unit: String, of finer: String, half: String) -> String {
    func nearest(_ time: String) -> String {
      "least(date_trunc('\(unit)', \(time) + interval '\(half)', 'UTC'), \(unit)s_until)"
    }
    return """
      SELECT \(nearest("a")) AS a, \(nearest("CASE WHEN b - a <= interval '\(half)' THEN a ELSE b END")) AS b
      FROM \(prefix)\(finer), \(marks)
      """
  }

  /// The rows of `place.location` that the pieces name: item_id, window_start and the signed item_count.
  var windows: String {
    RollupLevel.tables.map { level, table in
      """
      SELECT stored.item_id, window_start, sign * stored.item_count AS item_count
      FROM \(prefix)piece JOIN \(table) AS stored
        ON geographical_location_oid = place.location AND window_start >= low AND window_start < high
      WHERE level = '\(level)'
      """
    }.joined(separator: " UNION ALL ")
  }

  /// What each item of `place.location` adds up to: item_id, item_count.
  var sums: String {
    """
    SELECT item_id, sum(item_count)::bigint AS item_count FROM (\(windows)) AS windows
    GROUP BY item_id HAVING sum(item_count) > 0
    """
  }
}

extension RollupLevel {
  /// The name in `rollup_mark` and the table of every level, minutes included.
  static let tables = [
    ("minute", "window_count"), ("hour", "window_count_hour"), ("day", "window_count_day"),
    ("month", "window_count_month"),
  ]
}
