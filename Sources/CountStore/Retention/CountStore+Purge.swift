import Counting
import Postgres

/// How far a purge has come through a table.
public struct PurgeCursor: Sendable {
  /// The next block of the table's file; 0 when none is under way.
  public private(set) var block: Int64 = 0

  /// At the beginning.
  public init() {}

  fileprivate mutating func advance(to next: Int64, of blocks: Int64) { block = next < blocks ? next : 0 }

  /// Whether the last pass reached the end.
  public var isAtStart: Bool { block == 0 }
}

extension CountStore {
  /// 8 MiB of a table: some 100,000 keys, gone through in 10 ms, or deleted in 100.
  static let blocksPerPurge: Int64 = 1024

  /// Deletes the keys of detections that can never be counted again, in one range of the table's pages.
  ///
  /// An event below the floor is late, whether its key is there or not; so a key may go when both its event and its
  /// arrival are that old. A floor that lies above the horizon, as one that a wrong clock has raised, is no reason to
  /// delete. The table has no index by time, which each insert would pay for: it is read through by blocks (TID range
  /// scans), some seconds for 20 million keys, whenever the floor has risen.
  ///
  /// The same transaction raises `dedup_floor.purged_until` (by a trigger). That row is locked first: a session that
  /// judges by it whether a key can be gone holds it until the verdict is stored.
  /// - Returns: how many keys went.
  /// - Throws: `PostgresError`.
  public func purgeDetections(_ policy: RetentionPolicy, at now: AgreedTime, _ cursor: inout PurgeCursor)
    throws(PostgresError) -> Int
  {
    var moved = cursor
    let purged = try connection.transaction { connection throws(PostgresError) in
      let floor = try connection.execute("SELECT floor_at FROM dedup_floor FOR UPDATE")
      guard floor.count == 1 else {
        moved = PurgeCursor()
        return 0
      }
      let low = policy.purgeFloor(Timestamp(microseconds: try floor.timestamp(0, 0)), now: now.time)
      return try purge("detection", where: Self.purgeableKeys(below: low), &moved)
    }
    cursor = moved
    return purged
  }

  /// Deletes dead letters that were recorded longer ago than so many seconds, in one range of the table's pages.
  /// - Throws: `PostgresError`.
  func purgeDeadLetters(olderThan seconds: Int64, at now: AgreedTime, _ cursor: inout PurgeCursor)
    throws(PostgresError) -> Int
  {
    try purge("dead_letter", where: Self.oldDeadLetters(before: now.ago(seconds)), &cursor)
  }

  /// Deletes quarantined events that were recorded longer ago than so many seconds, in one range of the table's
  /// pages. A future one stays until it has been due for as long: it must be counted first.
  /// - Throws: `PostgresError`.
  func purgeQuarantine(olderThan seconds: Int64, at now: AgreedTime, _ cursor: inout PurgeCursor)
    throws(PostgresError) -> Int
  {
    try purge("quarantine", where: Self.oldQuarantine(before: now.ago(seconds)), &cursor)
  }

  /// What goes; the same for a purge and for the plan of one.
  static func purgeableKeys(below floor: Timestamp) -> Query {
    "greatest(detected_at, ingested_at) < \(timestamp: floor.microseconds)"
  }

  static func oldDeadLetters(before time: Timestamp) -> Query {
    "recorded_at < \(timestamp: time.microseconds)"
  }

  static func oldQuarantine(before time: Timestamp) -> Query {
    "greatest(recorded_at, detected_at) < \(timestamp: time.microseconds)"
  }

  private func purge(_ table: String, where condition: Query, _ cursor: inout PurgeCursor)
    throws(PostgresError) -> Int
  {
    let size = try connection.execute(
      "SELECT pg_relation_size(\(table)::regclass) / current_setting('block_size')::bigint"
    )
    let blocks = try size.int64(0, 0)
    let end = min(cursor.block + Self.blocksPerPurge, blocks)
    guard cursor.block < end else {
      cursor = PurgeCursor()
      return 0
    }
    let result = try connection.execute(
      """
      DELETE FROM \(identifier: table)
      WHERE ctid >= \("(\(cursor.block),0)")::text::tid AND ctid < \("(\(end),0)")::text::tid AND \(condition)
      """
    )
    cursor.advance(to: end, of: blocks)
    return result.affectedRows
  }
}
