import CountStore
import Counting
import Foundation
import Postgres

/// A year of counts by formula: two dense locations with 500 items in every minute of the recent days and in every hour
/// before, and 998 with 20 items a day.
///
/// What is put in is what a year of ingestion and folding would have left at the beginning of the recent days: hours up
/// to there, with the mark of the hours, and the minutes since. All the rest (hours of the recent days, days, months,
/// dropped partitions, vacuum) is the product's own work: one run of `Retention`.
struct SyntheticHistory {
  private let connection: Connection
  /// Microseconds since 1970: a year ago at midnight, the first minute, the end of the newest minute.
  let start: Int64
  let minutes: Int64
  let end: Int64

  private static let items = 500
  /// The count of an item in a minute or an hour, by `location`, `time` and `item`.
  private static let minuteCount =
    "1 + (item * 31 + extract(epoch FROM time)::bigint / 60 * 17 + location) % 5"
  private static let hourCount =
    "60 + (item * 31 + extract(epoch FROM time)::bigint / 3600 * 17 + location) % 97"
  private static let sparseCount = "1 + (item + location) % 3"
  /// When in a day a sparse location sees an item.
  private static let sparseTime =
    "((location + item) % 24) * interval '1 hour' + ((location * 7 + item) % 60) * interval '1 minute'"

  init(_ connection: Connection, days: Int64) throws {
    self.connection = connection
    // 37 minutes past the hour: half an hour or more of minutes at both ends of "the last hour" is the dearest case.
    let result = try connection.execute(
      """
      SELECT date_trunc('day', stop, 'UTC') - interval '365 days',
             date_trunc('day', stop, 'UTC') - make_interval(days => \(Int32(days))), stop
      FROM (SELECT date_trunc('hour', clock_timestamp() - interval '37 minutes') + interval '37 minutes') AS t(stop)
      """
    )
    start = try result.timestamp(0, 0)
    minutes = try result.timestamp(0, 1)
    end = try result.timestamp(0, 2)
  }

  func load() throws {
    // As if the workers had begun a year ago; the run of retention then raises the floor and drops the empty days.
    _ = try connection.execute("INSERT INTO dedup_floor (floor_at) VALUES (\(timestamp: start))")
    try CountStore(connection).ensurePartitions()
    let names = (1...Self.items).map { Array("item \($0)".utf8) }
    _ = try CountStore(connection).internItems(names)
    _ = try connection.execute(
      """
      INSERT INTO ingest_offset (topic, partition, next_offset, epoch, max_event_at, last_message_at)
      VALUES ('history', 0, 0, 1, \(timestamp: end - 1), clock_timestamp())
      """
    )
    try connection.run(script: "INSERT INTO counted_location SELECT generate_series(1, 1000)")
    _ = try connection.execute(
      """
      UPDATE rollup_mark SET folded_until = \(timestamp: minutes), folding_until = \(timestamp: minutes)
      WHERE level = 'hour'
      """
    )
    // In the order in which time passed, a day at a time.
    for day in stride(from: start, to: end, by: 86_400_000_000) {
      let isRecent = day >= minutes
      _ = try connection.execute(
        """
        INSERT INTO \(unescaped: isRecent ? "window_count" : "window_count_hour")
        SELECT location, time, id.item_id, count FROM (\(events(day, min(day + 86_400_000_000, end), recent: isRecent))) AS event
        JOIN item AS id ON id.item_name = 'item ' || event.item
        ORDER BY time, location, id.item_id
        """
      )
    }
  }

  /// Rows of (location, time, item, count), by formula alone.
  private func events(_ from: Int64, _ to: Int64, recent: Bool) -> Query {
    """
    SELECT location, time, item, \(unescaped: recent ? Self.minuteCount : Self.hourCount) AS count
    FROM generate_series(\(timestamp: from), \(timestamp: to) - interval '1 us',
                         \(unescaped: recent ? "interval '1 minute'" : "interval '1 hour'")) AS time,
         generate_series(1, 2) AS location, generate_series(1, \(Int32(Self.items))) AS item
    UNION ALL
    SELECT location, time, item, \(unescaped: Self.sparseCount)
    FROM generate_series(date_trunc('day', \(timestamp: from)::timestamptz, 'UTC'), \(timestamp: to) - interval '1 us',
                         interval '1 day') AS day,
         generate_series(3, 1000) AS location, generate_series(1, 20) AS item,
         LATERAL (SELECT \(unescaped: recent
           ? "day + \(Self.sparseTime)" : "date_trunc('hour', day + \(Self.sparseTime), 'UTC')") AS time) AS seen
    WHERE time >= \(timestamp: from) AND time < \(timestamp: to)
    """
  }

  /// What a response must hold, summed up from the formulas, without any table but the names'.
  func recount(_ location: Int64, from: Int64, to: Int64) throws -> [String: Int64] {
    var sums: [String: Int64] = [:]
    for (low, high, recent) in [
      (max(from, start), min(to, minutes), false), (max(from, minutes), min(to, end), true),
    ] where low < high {
      let result = try connection.execute(
        """
        SELECT item, sum(count)::bigint FROM (\(events(low, high, recent: recent))) AS event
        WHERE location = \(location) GROUP BY item
        """
      )
      for row in 0..<result.count {
        sums["item \(try result.int32(row, 0))", default: 0] += try result.int64(row, 1)
      }
    }
    return sums
  }

  func rows() throws -> (minutes: Int64, hours: Int64, days: Int64, months: Int64, megabytes: Int64) {
    let result = try connection.execute(
      """
      SELECT (SELECT count(*) FROM window_count), (SELECT count(*) FROM window_count_hour),
             (SELECT count(*) FROM window_count_day), (SELECT count(*) FROM window_count_month),
             pg_database_size(current_database()) / 1048576
      """
    )
    return (
      try result.int64(0, 0), try result.int64(0, 1), try result.int64(0, 2), try result.int64(0, 3),
      try result.int64(0, 4)
    )
  }
}
