import Counting
import Postgres

extension CountStore {
  /// Stores the dead letters of a batch. A replay finds its row already there.
  static func insertDeadLetters(_ batch: Batch) -> [Query] {
    let dead = batch.deadLetters
    guard !dead.isEmpty else { return [] }
    return [
      """
      INSERT INTO dead_letter (topic, partition, "offset", reason, field, payload, payload_bytes, message_at)
      SELECT topic, partition, "offset", reason, nullif(field, ''), payload, payload_bytes,
             nullif(message_at, '\(unescaped: Timestamp.neverText)')
      FROM unnest(\(dead.map { batch.parts[Int($0.part)].topic }), \(dead.map { batch.parts[Int($0.part)].partition }),
                  \(dead.map(\.offset)), \(dead.map(\.reason)), \(dead.map { $0.field ?? "" }),
                  \(dead.map(\.payload)), \(dead.map { Int64($0.payloadBytes) }),
                  \(timestamps: dead.map { ($0.messageAt ?? .never).microseconds }))
        AS dead(topic, partition, "offset", reason, field, payload, payload_bytes, message_at)
      ON CONFLICT (topic, partition, "offset") DO NOTHING
      """
    ]
  }

  private static let deadLetterColumns =
    #"topic, partition, "offset", reason, field, payload_bytes, octet_length(payload)::bigint, message_at, recorded_at"#

  /// Lists dead letters by partition and offset.
  ///
  /// - Parameters:
  ///   - after: where the last page ended.
  ///   - limit: how many at most.
  /// - Throws: `PostgresError`.
  public func deadLetters(_ filter: DeadLetterFilter, after: MessagePosition? = nil, limit: Int)
    throws(PostgresError) -> [DeadLetter]
  {
    let result = try connection.execute(
      """
      SELECT \(unescaped: Self.deadLetterColumns) FROM dead_letter WHERE \(Self.condition(filter, after: after))
      ORDER BY topic, partition, "offset" LIMIT \(limit)
      """
    )
    var letters: [DeadLetter] = []
    for row in 0..<result.count { letters.append(try Self.deadLetter(result, row)) }
    return letters
  }

  /// One dead letter with the bytes that are kept of it; nil where there is none.
  /// - Throws: `PostgresError`.
  public func deadLetter(at position: MessagePosition) throws(PostgresError)
    -> (letter: DeadLetter, payload: [UInt8])?
  {
    let result = try connection.execute(
      """
      SELECT \(unescaped: Self.deadLetterColumns), payload FROM dead_letter
      WHERE topic = \(position.key.topic) AND partition = \(position.key.partition) AND "offset" = \(position.offset)
      """
    )
    guard result.count == 1 else { return nil }
    return (try Self.deadLetter(result, 0), try result.bytes(0, 9))
  }

  /// How many dead letters the filter means.
  /// - Throws: `PostgresError`.
  public func countDeadLetters(_ filter: DeadLetterFilter) throws(PostgresError) -> Int64 {
    try connection.execute("SELECT count(*) FROM dead_letter WHERE \(Self.condition(filter, after: nil))")
      .int64(0, 0)
  }

  /// Deletes dead letters for good. What became of the messages stays: `ingest_offset` goes on counting them.
  ///
  /// - Parameter limit: how many at most, so that no lock is held for long. Those that are being replayed are left.
  /// - Returns: how many went; 0 when none is left.
  /// - Throws: `PostgresError`.
  public func purgeDeadLetters(_ filter: DeadLetterFilter, limit: Int) throws(PostgresError) -> Int {
    let result = try connection.execute(
      """
      WITH doomed AS (
        SELECT topic, partition, "offset" FROM dead_letter WHERE \(Self.condition(filter, after: nil))
        ORDER BY topic, partition, "offset" LIMIT \(limit) FOR UPDATE SKIP LOCKED)
      DELETE FROM dead_letter USING doomed
      WHERE dead_letter.topic = doomed.topic AND dead_letter.partition = doomed.partition
        AND dead_letter."offset" = doomed."offset"
      """
    )
    return result.affectedRows
  }

  static func condition(_ filter: DeadLetterFilter, after: MessagePosition?) -> Query {
    var condition: Query = "true"
    if let topic = filter.topic { condition = "\(condition) AND topic = \(topic)" }
    if let partition = filter.partition { condition = "\(condition) AND partition = \(partition)" }
    if let reason = filter.reason { condition = "\(condition) AND reason = \(reason)" }
    if let since = filter.since {
      condition = "\(condition) AND recorded_at >= \(timestamp: since.microseconds)"
    }
    if let until = filter.until {
      condition = "\(condition) AND recorded_at < \(timestamp: until.microseconds)"
    }
    return "\(condition) AND \(Self.condition(after: after))"
  }

  /// What comes after a position, in the order of the primary key.
  static func condition(after: MessagePosition?) -> Query {
    guard let after else { return "true" }
    return """
      (topic, partition, "offset") > (\(after.key.topic) COLLATE "C", \(after.key.partition), \(after.offset))
      """
  }

  private static func deadLetter(_ result: borrowing QueryResult, _ row: Int) throws(PostgresError)
    -> DeadLetter
  {
    DeadLetter(
      position: try position(result, row),
      reason: try result.string(row, 3),
      field: try result.optionalString(row, 4),
      payloadBytes: try result.int64(row, 5),
      keptBytes: try result.int64(row, 6),
      messageAt: try result.optionalTimestamp(row, 7).map(Timestamp.init(microseconds:)),
      recordedAt: Timestamp(microseconds: try result.timestamp(row, 8))
    )
  }

  /// The first three columns of dead letters and quarantined events.
  static func position(_ result: borrowing QueryResult, _ row: Int) throws(PostgresError) -> MessagePosition {
    let key = PartitionKey(topic: try result.string(row, 0), partition: try result.int32(row, 1))
    return MessagePosition(key: key, offset: try result.int64(row, 2))
  }
}
