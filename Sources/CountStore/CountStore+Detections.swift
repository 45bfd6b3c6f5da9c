import Counting
import Postgres

extension CountStore {
  /// Stores the detections that the unique constraint lets in.
  ///
  /// - Parameter detections: sorted by oid, without repeats.
  /// - Returns: by position, whether a detection was new (nil: all were), and whether the careful path was taken.
  func storeDetections(_ detections: [Batch.Detection], path: ApplyPath) throws(PostgresError)
    -> (isNew: [Bool]?, usedCarefulPath: Bool)
  {
    guard !detections.isEmpty else { return (nil, false) }
    if path == .optimistic {
      try connection.savepoint("optimistic")
      do {
        try copyDetections(detections)
        return (nil, false)
      } catch  where error.sqlState == .uniqueViolation {
        try connection.rollback(to: "optimistic")
      }
    }
    return (try insertDetections(detections), true)
  }

  private func copyDetections(_ detections: [Batch.Detection]) throws(PostgresError) {
    _ = try connection.copyIn("COPY detection (detection_oid, detected_at) FROM STDIN (FORMAT binary)") {
      copy throws(PostgresError) in
      for detection in detections {
        try copy.row(columns: 2)
        copy.append(int64: detection.oid)
        copy.append(timestamp: detection.detectedAt.microseconds)
      }
    }
  }

  private func insertDetections(_ detections: [Batch.Detection]) throws(PostgresError) -> [Bool] {
    let result = try connection.execute(
      """
      INSERT INTO detection (detection_oid, detected_at)
      SELECT * FROM unnest(\(detections.map(\.oid)), \(timestamps: detections.map(\.detectedAt.microseconds)))
        AS batch(detection_oid, detected_at)
      ORDER BY detection_oid
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

  /// Adds to the counts of the windows, in the order of their key, and notes locations that count for the first time.
  func add(_ counts: WindowedCounts) throws(PostgresError) {
    guard !counts.isEmpty else { return }
    let locations = counts.changedLocations(limit: .max) ?? []
    _ = try connection.execute(
      """
      WITH first AS (
        INSERT INTO counted_location (geographical_location_oid)
        SELECT location FROM unnest(\(locations)) AS batch(location)
        WHERE NOT EXISTS (SELECT FROM counted_location WHERE geographical_location_oid = location)
        ORDER BY location ON CONFLICT DO NOTHING)
      INSERT INTO window_count AS stored (geographical_location_oid, window_start, item_id, item_count)
      SELECT * FROM unnest(\(counts.locations), \(timestamps: counts.windowStarts), \(counts.itemIDs), \(counts.counts))
        AS batch(geographical_location_oid, window_start, item_id, item_count)
      ON CONFLICT (geographical_location_oid, window_start, item_id)
      DO UPDATE SET item_count = stored.item_count + excluded.item_count
      """
    )
  }

  /// Puts events aside for their time. A replay finds its row already there.
  func quarantine(_ batch: Batch) throws(PostgresError) {
    let events = batch.quarantined
    guard !events.isEmpty else { return }
    _ = try connection.execute(
      """
      INSERT INTO quarantine (topic, partition, "offset", reason, detection_oid, geographical_location_oid,
                              video_camera_oid, item_name, detected_at)
      SELECT topic, partition, "offset", reason, detection_oid, location, camera, convert_from(item_name, 'UTF8'),
             detected_at
      FROM unnest(\(events.map { batch.parts[Int($0.part)].topic }), \(events.map { batch.parts[Int($0.part)].partition }),
                  \(events.map(\.offset)), \(events.map { $0.fate == .late ? "late" : "future" }),
                  \(events.map(\.oid)), \(events.map(\.location)), \(events.map(\.camera)), \(events.map(\.itemName)),
                  \(timestamps: events.map(\.detectedAt.microseconds)))
        AS put_aside(topic, partition, "offset", reason, detection_oid, location, camera, item_name, detected_at)
      ON CONFLICT (topic, partition, "offset") DO NOTHING
      """
    )
  }

  /// Keeps the messages that can never be an event. A replay finds its row already there.
  func bury(_ batch: Batch) throws(PostgresError) {
    let dead = batch.deadLetters
    guard !dead.isEmpty else { return }
    _ = try connection.execute(
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
    )
  }
}
