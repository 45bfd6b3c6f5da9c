import Counting
import Postgres

/// The laws of docs/semantics.md, checked on a database that no worker is writing to.
///
/// The numbers follow `shared/semantics.md`: I1 counts = distinct detections, I2 every window equals a recount, I4
/// everything below a stored offset is accounted for, I5 every message has exactly one fate.
public enum Invariants {
  /// The sum of all fates' columns, in SQL.
  static let fates = Fate.allCases.map(\.column.description).joined(separator: " + ")

  /// What is wrong, one line each; empty when all is well.
  ///
  /// - Parameters:
  ///   - recount: what the windows must hold; not compared where there is none.
  ///   - logStarts: where a partition's log began when its first message was read; 0 where it is not named.
  public static func violations(
    _ connection: Connection,
    recount: Recount? = nil,
    logStarts: [String: [Int32: Int64]] = [:]
  ) throws -> [String] {
    var found = try sums(connection) + offsets(connection, logStarts: logStarts) + positions(connection)
    found += try shape(connection) + levels(connection)
    if let recount { found += try recount.differences(connection) }
    return found
  }

  /// I1: three ways to count the same.
  private static func sums(_ connection: Connection) throws -> [String] {
    let result = try connection.execute(
      """
      SELECT (SELECT coalesce(sum(item_count), 0)::bigint FROM window_count), (SELECT count(*) FROM detection),
             (SELECT counted FROM fate_total)
      """
    )
    let (counts, detections) = (try result.int64(0, 0), try result.int64(0, 1))
    let fates = try result.int64(0, 2)
    if counts == detections, detections == fates { return [] }
    return ["I1: the counts add up to \(counts), detections are \(detections), fates say \(fates)"]
  }

  /// I2 on the coarser levels: below its mark, each is the sum of the finer one, as far as that is kept.
  private static func levels(_ connection: Connection) throws -> [String] {
    let levels = [
      ("hour", "minute", "window_count"), ("day", "hour", "window_count_hour"),
      ("month", "day", "window_count_day"),
    ]
    var found: [String] = []
    for (level, finer, table) in levels {
      let result = try connection.execute(
        """
        WITH bounds AS (
          SELECT date_trunc(\(level), finer.kept_from + ('1 ' || \(level))::interval - interval '1 us', 'UTC') AS low,
                 mark.folded_until AS high
          FROM rollup_mark AS mark, rollup_mark AS finer WHERE mark.level = \(level) AND finer.level = \(finer)),
        sums AS (
          SELECT geographical_location_oid, date_trunc(\(level), window_start, 'UTC') AS window_start, item_id,
                 sum(item_count)::bigint AS item_count
          FROM \(unescaped: table), bounds WHERE window_start >= low AND window_start < high GROUP BY 1, 2, 3),
        stored AS (
          SELECT geographical_location_oid, window_start, item_id, item_count
          FROM \(unescaped: "window_count_" + level), bounds WHERE window_start >= low AND window_start < high)
        SELECT (SELECT count(*) FROM (TABLE sums EXCEPT ALL TABLE stored) AS missing),
               (SELECT count(*) FROM (TABLE stored EXCEPT ALL TABLE sums) AS wrong)
        """
      )
      let (missing, wrong) = (try result.int64(0, 0), try result.int64(0, 1))
      if missing + wrong > 0 {
        found.append("I2: window_count_\(level): \(missing) sums are missing, \(wrong) rows are no such sum")
      }
    }
    return found
  }

  /// I4 and I5: the fates of a partition add up to what lies below its offset, but for what Kafka had deleted.
  private static func offsets(_ connection: Connection, logStarts: [String: [Int32: Int64]]) throws
    -> [String]
  {
    let result = try connection.execute(
      """
      SELECT topic, partition, next_offset, \(unescaped: Self.fates),
             (SELECT coalesce(sum(to_offset - from_offset), 0)::bigint FROM offset_gap AS gap
              WHERE gap.topic = stored.topic AND gap.partition = stored.partition)
      FROM ingest_offset AS stored ORDER BY topic, partition
      """
    )
    var found: [String] = []
    for row in 0..<result.count {
      let (topic, partition) = (try result.string(row, 0), try result.int32(row, 1))
      let (next, fates, lost) = (
        try result.int64(row, 2), try result.int64(row, 3), try result.int64(row, 4)
      )
      let messages = next - (logStarts[topic]?[partition] ?? 0) - lost
      if fates != messages {
        found.append("I5: \(topic)[\(partition)] is at \(next), \(messages) messages with \(fates) fates")
      }
    }
    return found
  }

  /// I5: each dead letter and quarantined event has one row, below the stored offset.
  private static func positions(_ connection: Connection) throws -> [String] {
    let result = try connection.execute(
      """
      SELECT topic, partition, next_offset, late, future, dead_letters,
             (SELECT count(*) FROM quarantine AS q WHERE q.topic = stored.topic
                AND q.partition = stored.partition AND reason = 'late'),
             (SELECT count(*) FROM quarantine AS q WHERE q.topic = stored.topic
                AND q.partition = stored.partition AND reason = 'future'),
             (SELECT count(*) FROM dead_letter AS d WHERE d.topic = stored.topic
                AND d.partition = stored.partition),
             (SELECT count(*) FROM (SELECT topic, partition, "offset" FROM quarantine
                UNION ALL SELECT topic, partition, "offset" FROM dead_letter) AS aside
              WHERE aside.topic = stored.topic AND aside.partition = stored.partition
                AND aside."offset" >= stored.next_offset)
      FROM ingest_offset AS stored ORDER BY topic, partition
      """
    )
    var found: [String] = []
    for row in 0..<result.count {
      let name = "\(try result.string(row, 0))[\(try result.int32(row, 1))]"
      for (index, fate) in ["late", "future", "dead letters"].enumerated() {
        let (said, rows) = (try result.int64(row, 3 + index), try result.int64(row, 6 + index))
        if said != rows { found.append("I5: \(name) has \(said) \(fate) and \(rows) rows of them") }
      }
      let ahead = try result.int64(row, 9)
      if ahead != 0 { found.append("I4: \(name) has \(ahead) put-aside messages at or above its offset") }
    }
    return found
  }

  /// What a count must be to be found again.
  private static func shape(_ connection: Connection) throws -> [String] {
    let checks: [(String, Query)] = [
      (
        "windows do not begin at a whole minute",
        "SELECT count(*) FROM window_count WHERE date_bin('1 minute', window_start, 'epoch') <> window_start"
      ),
      (
        "counts are of no known item",
        "SELECT count(*) FROM window_count WHERE item_id NOT IN (SELECT item_id FROM item)"
      ),
      (
        "items do not have their name's hash",
        "SELECT count(*) FROM item WHERE name_sha256 <> sha256(convert_to(item_name, 'UTF8'))"
      ),
    ]
    var found: [String] = []
    for (what, query) in checks {
      let count = try connection.execute(query).int64(0, 0)
      if count != 0 { found.append("I2: \(count) \(what)") }
    }
    return found
  }
}
