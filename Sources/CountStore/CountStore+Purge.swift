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

  /// Deletes the keys of detections that can never be counted again, in one stretch of the table.
  ///
  /// An event below the floor is late, whether its key is there or not; so a key may go when both its event and its
  /// arrival are that old. The table has no index by time, which each insert would pay for: it is read through by
  /// blocks (TID range scans), some seconds for 20 million keys, whenever the floor has risen.
  /// - Returns: how many keys went.
  /// - Throws: `PostgresError`.
  public func purgeDetections(_ cursor: inout PurgeCursor) throws(PostgresError) -> Int {
    try purge(
      "detection",
      where: "greatest(detected_at, ingested_at) < (SELECT floor_at FROM dedup_floor)",
      &cursor
    )
  }

  /// Deletes dead letters that were recorded longer ago than so many seconds, in one stretch of the table.
  /// - Throws: `PostgresError`.
  func purgeDeadLetters(olderThan seconds: Int64, _ cursor: inout PurgeCursor) throws(PostgresError) -> Int {
    try purge("dead_letter", where: "recorded_at < \(Self.ago(seconds))", &cursor)
  }

  /// Deletes quarantined events that were recorded longer ago than so many seconds, in one stretch of the table. A future
  /// one stays until it has been due for as long: it is to be counted first.
  /// - Throws: `PostgresError`.
  func purgeQuarantine(olderThan seconds: Int64, _ cursor: inout PurgeCursor) throws(PostgresError) -> Int {
    try purge("quarantine", where: "greatest(recorded_at, detected_at) < \(Self.ago(seconds))", &cursor)
  }

  private static func ago(_ seconds: Int64) -> Query {
    "now() - make_interval(secs => \(seconds)::double precision)"
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
