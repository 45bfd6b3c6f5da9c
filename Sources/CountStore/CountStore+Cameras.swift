import Counting
import Postgres

extension CountStore.Lock {
  /// Held while `camera_health` gets more rows, in a transaction of its own: the number of rows is exact.
  static let cameras: Int64 = 0x746f_7069_0010
}

extension CountStore {
  /// Gives the batch's cameras rows in `camera_health`, as far as there is room, in a commit of its own: a batch then
  /// holds no lock that decides about room, and one that is rolled back leaves the rows for the next.
  ///
  /// - Throws: `PostgresError`.
  public func admit(_ cameras: CameraTallies, to roster: inout CameraRoster) throws(PostgresError) {
    guard roster.limit > 0 else { return }
    var unknown = cameras.keys.dropFirst().filter { !roster.admitted.contains($0) }
    guard !unknown.isEmpty else { return }
    if roster.fullForBatches > 0 {
      roster.fullForBatches -= 1
      // Those who invent cameras must not make each batch look up tens of thousands.
      unknown = Array(unknown.prefix(CameraRoster.lookupsWhenFull))
    }
    // Rows may have been deleted that are still known here.
    if roster.admitted.count > 2 * max(roster.limit, CameraRoster.defaultLimit) {
      roster.admitted.removeAll()
    }

    roster.admitted.formUnion(try stored(unknown))
    let missing = unknown.filter { !roster.admitted.contains($0) }.sorted()
    guard !missing.isEmpty, roster.fullForBatches == 0 else { return }
    try insert(missing, limit: roster.limit)
    let found = try stored(missing)
    roster.admitted.formUnion(found)
    if found.count < missing.count { roster.fullForBatches = CameraRoster.batchesWhenFull }
  }

  private func stored(_ keys: [CameraKey]) throws(PostgresError) -> [CameraKey] {
    let result = try connection.execute(
      """
      SELECT geographical_location_oid, video_camera_oid
      FROM unnest(\(keys.map(\.location)), \(keys.map(\.camera))) AS wanted(location, camera)
      JOIN camera_health ON geographical_location_oid = location AND video_camera_oid = camera
      """
    )
    var found: [CameraKey] = []
    found.reserveCapacity(result.count)
    for row in 0..<result.count {
      found.append(CameraKey(location: try result.int64(row, 0), camera: try result.int64(row, 1)))
    }
    return found
  }

  private func insert(_ keys: [CameraKey], limit: Int) throws(PostgresError) {
    try connection.transaction { connection throws(PostgresError) in
      _ = try connection.execute("SELECT pg_advisory_xact_lock(\(Lock.cameras))")
      _ = try connection.execute(
        """
        INSERT INTO camera_health (geographical_location_oid, video_camera_oid)
        SELECT location, camera FROM unnest(\(keys.map(\.location)), \(keys.map(\.camera))) AS new(location, camera)
        ORDER BY 1, 2
        LIMIT greatest(0, \(limit) - (SELECT count(*) FROM camera_health))
        ON CONFLICT DO NOTHING
        """
      )
    }
  }

  /// Adds a batch's tallies to those of the cameras, in the order of their key, those without a row last.
  func add(_ cameras: CameraTallies, roster: CameraRoster) throws(PostgresError) {
    var others = cameras.tallies[Int(CameraTallies.others)]
    var known: [(key: CameraKey, tally: CameraTally)] = []
    known.reserveCapacity(cameras.keys.count)
    for index in cameras.keys.indices.dropFirst() {
      if roster.admitted.contains(cameras.keys[index]) {
        known.append((cameras.keys[index], cameras.tallies[index]))
      } else {
        others += cameras.tallies[index]
      }
    }
    known.sort { $0.key < $1.key }
    if !known.isEmpty { try add(known) }
    if others != CameraTally() { try add(others) }
  }

  private func add(_ known: [(key: CameraKey, tally: CameraTally)]) throws(PostgresError) {
    // Int64.min, which no event time is away from any clock, stands for "no arrival": arrays are sent without NULLs.
    _ = try connection.execute(
      """
      INSERT INTO camera_health AS stored (geographical_location_oid, video_camera_oid, counted, duplicates, conflicts,
                                           late, future, largest_skew_us, latest_skew_us, last_seen)
      SELECT location, camera, counted, duplicates, conflicts, late, future, nullif(largest, \(Int64.min)),
             nullif(latest, \(Int64.min)), CASE WHEN latest <> \(Int64.min) THEN now() END
      FROM unnest(\(known.map(\.key.location)), \(known.map(\.key.camera)), \(known.map(\.tally.counted)),
                  \(known.map(\.tally.duplicates)), \(known.map(\.tally.conflicts)), \(known.map(\.tally.late)),
                  \(known.map(\.tally.future)), \(known.map { $0.tally.largestSkew ?? .min }),
                  \(known.map { $0.tally.latestSkew ?? .min }))
        AS batch(location, camera, counted, duplicates, conflicts, late, future, largest, latest)
      ON CONFLICT (geographical_location_oid, video_camera_oid) DO UPDATE
      SET counted = stored.counted + excluded.counted, duplicates = stored.duplicates + excluded.duplicates,
          conflicts = stored.conflicts + excluded.conflicts, late = stored.late + excluded.late,
          future = stored.future + excluded.future,
          largest_skew_us = greatest(stored.largest_skew_us, excluded.largest_skew_us),
          latest_skew_us = coalesce(excluded.latest_skew_us, stored.latest_skew_us),
          last_seen = coalesce(excluded.last_seen, stored.last_seen)
      """
    )
  }

  private func add(_ others: CameraTally) throws(PostgresError) {
    _ = try connection.execute(
      """
      INSERT INTO camera_overflow AS stored (counted, duplicates, conflicts, late, future, largest_skew_us,
                                             latest_skew_us, last_seen)
      VALUES (\(others.counted), \(others.duplicates), \(others.conflicts), \(others.late), \(others.future),
              \(others.largestSkew), \(others.latestSkew), CASE WHEN \(others.latestSkew != nil) THEN now() END)
      ON CONFLICT (only_row) DO UPDATE
      SET counted = stored.counted + excluded.counted, duplicates = stored.duplicates + excluded.duplicates,
          conflicts = stored.conflicts + excluded.conflicts, late = stored.late + excluded.late,
          future = stored.future + excluded.future,
          largest_skew_us = greatest(stored.largest_skew_us, excluded.largest_skew_us),
          latest_skew_us = coalesce(excluded.latest_skew_us, stored.latest_skew_us),
          last_seen = coalesce(excluded.last_seen, stored.last_seen)
      """
    )
  }
}
