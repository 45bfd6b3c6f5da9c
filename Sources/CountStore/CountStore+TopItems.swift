import Counting
import Postgres

extension CountStore {
  /// How a session is to be set up that asks for top items.
  ///
  /// The plan does not depend on the question, and there are partitions to be planned for: once a session is enough. It
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
      if let unknown = try result.optionalString(0, 5) {
        throw CountStoreError.unknownLocations(unknown.split(separator: ",").compactMap { Int64($0) })
      }
      let rows = try Self.rows(of: result, query: query)
      guard rows.count <= query.maximumRows else {
        throw CountStoreError.tooManyRows(limit: query.maximumRows)
      }
      return TopItems(
        from: try result.optionalTimestamp(0, 0).map(Timestamp.init(microseconds:)),
        to: try result.optionalTimestamp(0, 1).map(Timestamp.init(microseconds:)),
        revision: try result.int64(0, 2),
        watermark: try result.optionalTimestamp(0, 3).map(Timestamp.init(microseconds:)),
        state: Finality(rawValue: try result.string(0, 4)) ?? .open,
        rows: rows
      )
    } catch let error as CountStoreError {
      throw error
    } catch let error as PostgresError {
      throw .postgres(error)
    } catch {
      throw .postgres(PostgresError(.protocol, "\(error)"))
    }
  }

  private static func rows(of result: borrowing QueryResult, query: TopItemsQuery) throws(PostgresError)
    -> [TopItems.Row]
  {
    // Without any counts there is still one row, for the labels: its rank is NULL.
    guard try result.optionalInt64(0, 8) != nil else { return [] }
    var rows: [TopItems.Row] = []
    rows.reserveCapacity(result.count)
    for row in 0..<result.count {
      rows.append(
        TopItems.Row(
          locationOid: try result.optionalInt64(row, 6),
          locationName: try result.optionalString(row, 7),
          rank: Int(try result.int64(row, 8)),
          itemName: try result.string(row, 9),
          count: try result.int64(row, 10)
        )
      )
    }
    return rows
  }
}

/// What an answer says of itself.
enum Label {
  /// How long a partition may be silent before it no longer holds the watermark back.
  static let idleSeconds = 60
  /// How far the watermark must have passed a range before its counts are called final.
  static let settlingSeconds = 600

  /// One row: revision, watermark, newest_window_end (NULL before the first event).
  static let sql = """
    SELECT coalesce((SELECT max(revision) FROM revision), 0) AS revision,
           coalesce(min(max_event_at) FILTER (WHERE last_message_at > now() - interval '\(idleSeconds) seconds'),
                    max(max_event_at)) AS watermark,
           date_bin('1 minute', max(max_event_at), 'epoch') + interval '1 minute' AS newest_window_end
    FROM ingest_offset
    """

  static func state(to: String) -> String {
    """
    CASE WHEN \(to) <= watermark - interval '\(settlingSeconds) seconds' THEN 'final'
         WHEN \(to) <= watermark THEN 'settling' ELSE 'open' END
    """
  }
}
