import Counting
import Postgres

extension CountStore {
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

  /// The columns: from, to, revision, watermark, state, unknown locations | location, its name, rank, item, count.
  private static func statement(for query: TopItemsQuery) -> Query {
    let (from, to, span) = bounds(query.range)
    let locations: Value = query.locations.isEmpty ? .nullOf(.int64Array) : .int64Array(query.locations)
    return """
      WITH RECURSIVE labels AS (\(unescaped: Label.sql)),
      asked AS (
        SELECT labels.*, \(locations)::bigint[] AS locations, coalesce(\(to), greatest(newest_window_end, \(from))) AS to_at,
               CASE WHEN \(span)::bigint IS NULL THEN \(from)
                    ELSE newest_window_end - \(span)::bigint * interval '1 microsecond' END AS from_at
        FROM labels),
      -- Every location that has counts, found by one descent of the primary key each.
      counted(location) AS (
        (SELECT min(geographical_location_oid) FROM window_count)
        UNION ALL
        SELECT (SELECT min(geographical_location_oid) FROM window_count WHERE geographical_location_oid > location)
        FROM counted WHERE location IS NOT NULL),
      place(location) AS (
        SELECT unnest(locations) FROM asked
        UNION
        SELECT location FROM counted WHERE location IS NOT NULL AND (SELECT locations IS NULL FROM asked)),
      sums AS (
        SELECT \(unescaped: query.grouping == .all ? "NULL::bigint AS location" : "place.location"),
               item_id, sum(item_count)::bigint AS item_count
        FROM asked, place, LATERAL (
          SELECT item_id, item_count FROM window_count
          WHERE geographical_location_oid = place.location
            AND window_start >= coalesce(from_at, '-infinity') AND window_start < to_at) AS windows
        GROUP BY 1, 2),
      ranked AS (
        SELECT location, item_name, item_count,
               row_number() OVER (PARTITION BY location ORDER BY item_count DESC, item_name COLLATE "C") AS item_rank
        FROM sums JOIN item USING (item_id)),
      unknown AS (
        SELECT string_agg(location::text, ',') AS locations FROM place
        WHERE (SELECT locations IS NOT NULL FROM asked)
          AND NOT EXISTS (SELECT FROM location WHERE geographical_location_oid = place.location)
          AND NOT EXISTS (SELECT FROM window_count WHERE geographical_location_oid = place.location))
      SELECT from_at, to_at, revision, watermark, \(unescaped: Label.state(to: "to_at")), unknown.locations,
             ranked.location, geographical_location, item_rank, item_name, item_count
      FROM asked CROSS JOIN unknown
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
