import Counting
import Postgres

extension CountStore {
  /// Counts the items of a top list in each bucket of its range, zeros included: one statement, so one snapshot.
  ///
  /// - Throws: `CountStoreError`; `tooManyRows` also when there are more buckets than rows are allowed.
  public func series(_ query: SeriesQuery) throws(CountStoreError) -> Series {
    do {
      let result = try connection.execute(Self.statement(for: query))
      if let unknown = try result.optionalString(0, 6) {
        throw CountStoreError.unknownLocations(unknown.split(separator: ",").compactMap { Int64($0) })
      }
      guard try result.int64(0, 8) <= query.topItems.maximumRows else {
        throw CountStoreError.tooManyRows(limit: query.topItems.maximumRows)
      }
      let width = try result.int64(0, 7)
      var answer = Series(
        labels: ResultLabels(
          from: try result.optionalTimestamp(0, 0).map(Timestamp.init(microseconds:)),
          to: try result.optionalTimestamp(0, 1).map(Timestamp.init(microseconds:)),
          revision: try result.int64(0, 2),
          watermark: try result.optionalTimestamp(0, 3).map(Timestamp.init(microseconds:)),
          state: Finality(rawValue: try result.string(0, 4)) ?? .open,
          lag: try result.optionalInt64(0, 5)
        ),
        bucket: Bucket.allCases.first { $0.length == width } ?? query.bucket,
        rows: []
      )
      // Without any counts there is still one row, for the labels.
      guard try result.optionalInt64(0, 15) != nil else { return answer }
      answer.rows.reserveCapacity(result.count)
      for row in 0..<result.count { answer.rows.append(try Self.seriesRow(of: result, row)) }
      return answer
    } catch {
      throw CountStoreError(error)
    }
  }

  private static func seriesRow(
    of result: borrowing QueryResult,
    _ row: Int
  ) throws(PostgresError) -> Series.Row {
    Series.Row(
      locationOid: try result.optionalInt64(row, 9),
      locationName: try result.optionalString(row, 10),
      start: Timestamp(microseconds: try result.timestamp(row, 11)),
      end: Timestamp(microseconds: try result.timestamp(row, 12)),
      rank: Int(try result.int64(row, 13)),
      itemName: try result.string(row, 14),
      count: try result.int64(row, 15)
    )
  }

  /// The columns: from, to, revision, watermark, state, lag, unknown locations, bucket in microseconds, how many rows
  /// there would be | location, its name, start, end, rank, item, count.
  ///
  /// Coarser levels are read as far as their rows lie in one bucket, whatever lies outside of the range is subtracted
  /// in the bucket that it was added to.
  static func statement(for query: SeriesQuery) -> Query {
    let ranking = Ranking(query: query.topItems)
    let pieces = RangePieces(prefix: "series_", asked: "range", marks: "series_mark")
    let location = query.topItems.grouping == .all ? "NULL::bigint" : "place.location"
    let never = Timestamp.neverText
    return """
      WITH \(ranking.sql),
      step AS (
        SELECT greatest(\(query.bucket.length) * interval '1 us',
                        CASE WHEN from_at < hours_from THEN interval '1 day'
                             WHEN from_at < minutes_from THEN interval '1 hour' END) AS width
        FROM range, mark),
      series_mark AS (
        SELECT minutes_from, hours_from, timestamptz '\(unescaped: never)' AS months_until,
               CASE WHEN width >= interval '1 hour' THEN hours_until ELSE '\(unescaped: never)' END AS hours_until,
               CASE WHEN width >= interval '1 day' THEN days_until ELSE '\(unescaped: never)' END AS days_until
        FROM mark, step),
      \(unescaped: pieces.sql),
      size AS (
        SELECT width, date_bin(width, from_at, 'epoch') AS first,
               CASE WHEN from_at < to_at THEN ceil(extract(epoch FROM to_at - date_bin(width, from_at, 'epoch'))
                                                   / extract(epoch FROM width))::bigint ELSE 0 END
               * greatest((SELECT count(*) FROM top), 1) AS rows
        FROM range, step),
      filled AS (
        SELECT \(unescaped: location) AS location, windows.item_id, date_bin(width, window_start, 'epoch') AS bucket,
               sum(windows.item_count)::bigint AS item_count
        FROM size, place, LATERAL (\(unescaped: pieces.windows)) AS windows
        JOIN top ON top.item_id = windows.item_id
        WHERE \(unescaped: ranking.sameRanking("top", "place")) AND rows <= \(query.topItems.maximumRows)
        GROUP BY 1, 2, 3)
      SELECT range.from_at, range.to_at, revision, watermark, \(unescaped: Label.state(to: "range.to_at")), lag,
             unknown.locations, (extract(epoch FROM width) * 1000000)::bigint, rows,
             answer.location, geographical_location, greatest(answer.bucket, range.from_at),
             least(answer.bucket + width, range.to_at), item_rank, item_name, item_count
      FROM labels CROSS JOIN range CROSS JOIN unknown CROSS JOIN size
      LEFT JOIN (
        SELECT top.location, item_rank, item_name, buckets.bucket, coalesce(filled.item_count, 0) AS item_count
        FROM range CROSS JOIN size CROSS JOIN top
        CROSS JOIN LATERAL generate_series(first, to_at - interval '1 us', width) AS buckets(bucket)
        LEFT JOIN filled ON filled.item_id = top.item_id AND filled.bucket = buckets.bucket
          AND \(unescaped: ranking.sameRanking("filled", "top"))
        WHERE rows <= \(query.topItems.maximumRows)) AS answer ON true
      LEFT JOIN location ON geographical_location_oid = answer.location
      ORDER BY answer.location, item_rank, answer.bucket
      """
  }
}
