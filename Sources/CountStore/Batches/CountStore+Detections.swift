import Counting
import Postgres

/// What the unique constraint made of a detection.
enum DetectionVerdict: Equatable {
  case new
  /// Stored before, `conflicts` if with another payload.
  case duplicate(conflicts: Bool)
}

extension CountStore {
  /// From so many detections on, COPY is faster. It takes three round trips more than an INSERT that is sent together
  /// with the statements after it.
  static let copiedAtLeast = 500

  /// Stores the detections that the unique constraint lets in.
  ///
  /// - Parameters:
  ///   - detections: sorted by oid, without duplicates.
  ///   - queries: receives the statements that remain. If one of them violates the unique constraint, the transaction
  ///     is over, and the careful path must be taken.
  ///   - conclude: called with the verdict on each detection, by position (nil: all are new), while the server is
  ///     still busy with them, so that the work that follows takes no time of its own. Only the last call holds.
  /// - Returns: whether the careful path was taken.
  func storeDetections(
    _ detections: [Batch.Detection],
    path: ApplyPath,
    queries: inout [Query],
    conclude: ([DetectionVerdict]?) -> Void
  ) throws(PostgresError) -> Bool {
    guard !detections.isEmpty else {
      conclude(nil)
      return false
    }
    if path == .optimistic, detections.count < Self.copiedAtLeast {
      queries.append(Self.insertion(of: detections))
      conclude(nil)
      return false
    }
    if path == .optimistic, try copyDetections(detections, meanwhile: { conclude(nil) }) { return false }

    // The careful path asks first what is stored: its hash is needed anyway, and COPY is the faster way for the rest.
    var verdicts = try storedVerdicts(detections)
    let fresh = verdicts.indices.filter { verdicts[$0] == .new }
    let rest = fresh.map { detections[$0] }
    guard !rest.isEmpty else {
      conclude(verdicts)
      return true
    }
    if try copyDetections(rest, meanwhile: { conclude(verdicts) }) { return true }

    // Another worker has stored one of them since the look-up: the constraint decides row by row.
    let isNew = try insertDetections(rest)
    let lost = fresh.indices.filter { !isNew[$0] }
    for (index, verdict) in zip(lost, try storedVerdicts(lost.map { rest[$0] })) {
      // It was stored a moment ago, and no purge takes a key that came after the floor: it is still there.
      verdicts[fresh[index]] = verdict == .new ? .duplicate(conflicts: false) : verdict
    }
    conclude(verdicts)
    return true
  }

  /// Those that are stored already as duplicates, in conflict if they say something else; the others as new.
  private func storedVerdicts(_ detections: [Batch.Detection]) throws(PostgresError) -> [DetectionVerdict] {
    // LATERAL with LIMIT: one descent of the primary key each, whatever the planner believes about the table's size.
    let result = try connection.execute(
      """
      SELECT position, coalesce(stored.payload_hash <> batch.payload_hash, false)
      FROM unnest(\(detections.map(\.oid)), \(detections.map(\.payloadHash))) WITH ORDINALITY
        AS batch(detection_oid, payload_hash, position)
      CROSS JOIN LATERAL
        (SELECT payload_hash FROM detection WHERE detection_oid = batch.detection_oid LIMIT 1) AS stored
      """
    )
    var verdicts = [DetectionVerdict](repeating: .new, count: detections.count)
    for row in 0..<result.count {
      verdicts[Int(try result.int64(row, 0)) - 1] = .duplicate(conflicts: try result.bool(row, 1))
    }
    return verdicts
  }

  /// - Returns: false if one of them is stored already; then none of them was written.
  private func copyDetections(_ detections: [Batch.Detection], meanwhile: () -> Void) throws(PostgresError)
    -> Bool
  {
    try connection.savepoint("optimistic")
    do {
      _ = try connection.copyIn(
        "COPY detection (detection_oid, detected_at, payload_hash) FROM STDIN (FORMAT binary)",
        meanwhile: meanwhile
      ) { copy throws(PostgresError) in
        for detection in detections {
          try copy.row(columns: 3)
          copy.append(int64: detection.oid)
          copy.append(timestamp: detection.detectedAt.microseconds)
          copy.append(int64: detection.payloadHash)
        }
      }
      return true
    } catch  where error.sqlState == .uniqueViolation {
      try connection.rollback(to: "optimistic")
      return false
    }
  }

  private func insertDetections(_ detections: [Batch.Detection]) throws(PostgresError) -> [Bool] {
    let result = try connection.execute(
      """
      \(Self.insertion(of: detections))
      ON CONFLICT (detection_oid) DO NOTHING
      RETURNING detection_oid
      """
    )
    // They come back in the order in which they went in, so one pass over both finds the ones that are missing;
    // should that order ever change, the pass would end early, and that is an error, not a wrong count.
    var isNew = [Bool](repeating: false, count: detections.count)
    var row = 0
    for (position, detection) in detections.enumerated() where row < result.count {
      if try result.int64(row, 0) == detection.oid {
        isNew[position] = true
        row += 1
      }
    }
    guard row == result.count else {
      throw PostgresError(.protocol, "INSERT … RETURNING gave its rows in another order than it got them")
    }
    return isNew
  }

  private static func insertion(of detections: [Batch.Detection]) -> Query {
    """
    INSERT INTO detection (detection_oid, detected_at, payload_hash)
    SELECT * FROM unnest(\(detections.map(\.oid)), \(timestamps: detections.map(\.detectedAt.microseconds)),
                         \(detections.map(\.payloadHash)))
      AS batch(detection_oid, detected_at, payload_hash)
    ORDER BY detection_oid
    """
  }

  /// What adds to the counts of the windows, in the order of their key, and to the coarser levels that cover them, and
  /// notes locations that count for the first time.
  static func additions(of counts: WindowedCounts, _ marks: RollupMarks) -> [Query] {
    guard !counts.isEmpty else { return [] }
    let locations = counts.changedLocations(limit: .max) ?? []
    let windows: Query = """
      INSERT INTO window_count AS stored (geographical_location_oid, window_start, item_id, item_count)
      SELECT * FROM unnest(\(counts.locations), \(timestamps: counts.windowStarts), \(counts.itemIDs), \(counts.counts))
        AS batch(geographical_location_oid, window_start, item_id, item_count)
      ON CONFLICT (geographical_location_oid, window_start, item_id)
      DO UPDATE SET item_count = stored.item_count + excluded.item_count
      """
    let first: Query = """
      INSERT INTO counted_location (geographical_location_oid)
      SELECT location FROM unnest(\(locations)) AS batch(location)
      WHERE NOT EXISTS (SELECT FROM counted_location WHERE geographical_location_oid = location)
      ORDER BY location ON CONFLICT DO NOTHING
      """
    return [windows, first] + rollupQueries(counts, marks)
  }
}
