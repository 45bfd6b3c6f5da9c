import Counting
import Postgres

extension CountStore {
  /// How a session is to be set up that asks for top items.
  ///
  /// The plan does not depend on the query, and there are partitions to be planned for: once a session is enough. It
  /// reads so little that a second process would not pay.
  public static let readerSettings: [(name: String, value: String)] = [
    ("plan_cache_mode", "force_generic_plan"), ("max_parallel_workers_per_gather", "0"),
  ]

  /// Ranks the items of each location (or of all together) in a span of event time.
  ///
  /// One statement, so one snapshot: bounds, labels and rows belong to the same revision.
  /// - Throws: `CountStoreError`.
  public func topItems(_ query: TopItemsQuery) throws(CountStoreError) -> TopItems {
    do {
      let result = try connection.execute(Self.statement(for: query))
      var answer = try Self.head(of: result)
      // Without any counts there is still one row, for the labels.
      guard try result.optionalInt64(0, TopItemsColumn.count) != nil else { return answer }
      guard result.count <= query.maximumRows else {
        throw CountStoreError.tooManyRows(limit: query.maximumRows)
      }
      answer.rows.reserveCapacity(result.count)
      for row in 0..<result.count { answer.rows.append(try Self.row(of: result, row)) }
      return answer
    } catch {
      throw CountStoreError(error)
    }
  }

  /// The same response one row at a time, for lists of any length: first the list without its rows, then each of them.
  ///
  /// - Throws: `CountStoreError`, or the error of the closure that threw.
  public func topItems(
    _ query: TopItemsQuery,
    begin: (TopItems) throws -> Void,
    row body: (TopItems.Row) throws -> Void
  ) throws {
    try eachRow(of: Self.statement(for: query), maximumRows: query.maximumRows) { row, number throws in
      if number == 0 { try begin(try Self.head(of: row)) }
      guard try row.optionalInt64(0, TopItemsColumn.count) != nil else { return }
      try body(try Self.row(of: row, 0))
    }
  }

  private static func head(of result: borrowing QueryResult) throws -> TopItems {
    typealias Column = TopItemsColumn
    if let unknown = try result.optionalString(0, Column.unknown) {
      throw CountStoreError.unknownLocations(unknown.split(separator: ",").compactMap { Int64($0) })
    }
    let previousFrom = try result.optionalTimestamp(0, Column.previousFrom).map(Timestamp.init(microseconds:))
    let previousTo = try result.optionalTimestamp(0, Column.previousTo).map(Timestamp.init(microseconds:))
    var previous: Range<Timestamp>?
    if let previousFrom, let previousTo, previousFrom < previousTo { previous = previousFrom..<previousTo }
    return TopItems(
      from: try result.optionalTimestamp(0, Column.from).map(Timestamp.init(microseconds:)),
      to: try result.optionalTimestamp(0, Column.to).map(Timestamp.init(microseconds:)),
      revision: try result.int64(0, Column.revision),
      watermark: try result.optionalTimestamp(0, Column.watermark).map(Timestamp.init(microseconds:)),
      state: Finality(rawValue: try result.string(0, Column.state)) ?? .open,
      lag: try result.optionalInt64(0, Column.lag),
      isTiedAtCutoff: try result.bool(0, Column.isTied),
      previous: previous,
      rows: []
    )
  }

  private static func row(
    of result: borrowing QueryResult,
    _ row: Int
  ) throws(PostgresError) -> TopItems.Row {
    typealias Column = TopItemsColumn
    return TopItems.Row(
      locationOid: try result.optionalInt64(row, Column.location),
      locationName: try result.optionalString(row, Column.locationName),
      rank: try result.optionalInt64(row, Column.rank).map { Int($0) },
      itemName: try result.optionalString(row, Column.item),
      count: try result.int64(row, Column.count),
      total: try result.optionalInt64(row, Column.total),
      previousRank: try result.optionalInt64(row, Column.previousRank).map { Int($0) },
      previousCount: try result.optionalInt64(row, Column.previousCount)
    )
  }
}

/// What a response says of itself.
enum Label {
  /// How long a partition may be silent before it no longer holds the watermark back.
  static let idleSeconds = 60
  /// How far the watermark must have passed a range before its counts are called final.
  static let settlingSeconds = 600

  /// One row: revision, watermark, newest_window_end (NULL before the first event), lag (NULL where
  /// one is not known).
  ///
  /// A silent partition with messages that are not counted yet is not idle: its worker is away. (One offset of lag is
  /// none: behind a transaction's last message stands its marker.) A forgotten topic is not waited for, but no window
  /// that responses have begun at moves back for it.
  static let sql = """
    SELECT coalesce((SELECT max(revision) FROM revision), 0) AS revision,
           coalesce(min(max_event_at) FILTER (WHERE last_message_at > now() - interval '\(idleSeconds) seconds'
                                                OR log_end_offset > next_offset + 1),
                    greatest(max(max_event_at), (SELECT max(max_event_at) FROM forgotten_topic))) AS watermark,
           date_bin('1 minute', greatest(max(max_event_at), (SELECT max(max_event_at) FROM forgotten_topic)), 'epoch')
             + interval '1 minute' AS newest_window_end,
           CASE WHEN count(log_end_offset) = count(*)
                THEN coalesce(sum(greatest(log_end_offset - next_offset, 0)), 0)::bigint END AS lag
    FROM ingest_offset
    """

  static func state(to: String) -> String {
    """
    CASE WHEN \(to) <= watermark - interval '\(settlingSeconds) seconds' THEN 'final'
         WHEN \(to) <= watermark THEN 'settling' ELSE 'open' END
    """
  }
}
