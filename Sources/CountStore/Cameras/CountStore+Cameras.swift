import Counting
import Postgres

extension CountStore.Lock {
  /// Held while `camera_tally` gets more rows, in a transaction of its own: the number of rows is exact.
  static let cameras: Int64 = 0x746f_7069_0010
}

extension CountStore {
  /// Gives the batch's cameras rows in `camera_tally`, as far as there is room, in a commit of its own: a batch then
  /// holds no lock that decides about room, and one that is rolled back leaves the rows for the next.
  ///
  /// - Throws: `PostgresError`.
  public func admit(_ cameras: CameraTallies, to ledger: inout CameraLedger) throws(PostgresError) {
    guard ledger.limit > 0 else { return }
    var unknown = cameras.keys.dropFirst().filter { !ledger.admitted.contains($0) }
    guard !unknown.isEmpty else { return }
    if ledger.fullForBatches > 0 {
      ledger.fullForBatches -= 1
      // Those who invent cameras must not make each batch look up tens of thousands.
      unknown = Array(unknown.prefix(CameraLedger.lookupsWhenFull))
    }
    // Rows may have been deleted that are still known here.
    if ledger.admitted.count > 2 * max(ledger.limit, CameraLedger.defaultLimit) {
      ledger.admitted.removeAll()
    }

    ledger.admitted.formUnion(try stored(unknown))
    let missing = unknown.filter { !ledger.admitted.contains($0) }.sorted()
    guard !missing.isEmpty, ledger.fullForBatches == 0 else { return }
    try insert(missing, limit: ledger.limit)
    let found = try stored(missing)
    ledger.admitted.formUnion(found)
    if found.count < missing.count { ledger.fullForBatches = CameraLedger.batchesWhenFull }
  }

  private func stored(_ keys: [CameraKey]) throws(PostgresError) -> [CameraKey] {
    let result = try connection.execute(
      """
      SELECT geographical_location_oid, video_camera_oid
      FROM unnest(\(keys.map(\.location)), \(keys.map(\.camera))) AS wanted(location, camera)
      JOIN camera_tally ON geographical_location_oid = location AND video_camera_oid = camera
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
    try commitAhead([
      "SELECT pg_advisory_xact_lock(\(Lock.cameras))",
      """
      INSERT INTO camera_tally (geographical_location_oid, video_camera_oid)
      SELECT location, camera FROM unnest(\(keys.map(\.location)), \(keys.map(\.camera))) AS new(location, camera)
      ORDER BY 1, 2
      LIMIT greatest(0, \(limit) - (SELECT count(*) FROM camera_tally))
      ON CONFLICT DO NOTHING
      """,
    ])
  }

  /// Notes a batch's tallies: as a row of `camera_change`, or, when it is time, together with all that this connection
  /// has noted before, in the cameras' rows, in the order of their key. Those without a row of their own come last.
  ///
  /// - Parameter queries: what is to be run before the cameras' rows are locked, and gets what is left to be run.
  func record(_ note: CameraNote, in ledger: inout CameraLedger, after queries: inout [Query])
    throws(PostgresError)
  {
    if !note.known.isEmpty { try record(note.known, &ledger, after: &queries) }
    if note.others != CameraTally() { queries.append(Self.addition(of: note.others)) }
  }

  private func record(
    _ known: [CameraNote.Entry],
    _ ledger: inout CameraLedger,
    after queries: inout [Query]
  ) throws(PostgresError) {
    guard ledger.isDue else {
      ledger.stage(.change(known), answeredAt: queries.count)
      return queries.append(Self.note(known))
    }
    if !queries.isEmpty { _ = try connection.pipeline(queries) }
    queries.removeAll()
    // Somebody who took this worker for dead may have added some of them already.
    guard try takeBack(ledger.changes) else {
      ledger.stage(.anew(known), answeredAt: queries.count)
      return queries.append(Self.note(known))
    }
    ledger.mergeSettled()
    var sums = ledger.pending
    for (key, tally) in known { sums.add(tally, of: key) }
    let order = sums.order
    for start in stride(from: 0, to: order.count, by: CameraLedger.rowsAtOnce) {
      let rows = order[start..<min(start + CameraLedger.rowsAtOnce, order.count)]
      try add(rows.map { (key: sums.keys[Int($0)], tally: sums.tallies[Int($0)]) })
    }
    ledger.stage(.update)
  }

  /// Answers with the row's id.
  private static func note(_ known: [CameraNote.Entry]) -> Query {
    func counts(_ count: (CameraTally) -> Int64) -> [Int32] {
      let counts = known.map { Int32(clamping: count($0.tally)) }
      return counts.allSatisfy { $0 == 0 } ? [] : counts
    }
    return """
      INSERT INTO camera_change (geographical_location_oids, video_camera_oids, counted, duplicates, conflicts, late,
                                 future, largest_skew_us, latest_skew_us)
      VALUES (\(known.map(\.key.location)), \(known.map(\.key.camera)), \(counts(\.counted)),
              \(counts(\.duplicates)), \(counts(\.conflicts)), \(counts(\.late)), \(counts(\.future)),
              \(known.map { $0.tally.largestSkew ?? .min }), \(known.map { $0.tally.latestSkew ?? .min }))
      RETURNING change_id
      """
  }

  /// Deletes these changes, unless one of them is gone already; then none.
  private func takeBack(_ changes: [Int64]) throws(PostgresError) -> Bool {
    guard !changes.isEmpty else { return true }
    let found = try connection.execute(
      "SELECT FROM camera_change WHERE change_id = ANY (\(changes)) ORDER BY change_id FOR UPDATE"
    )
    guard found.count == changes.count else { return false }
    _ = try connection.execute("DELETE FROM camera_change WHERE change_id = ANY (\(changes))")
    return true
  }

  /// Adds what was noted by workers that have not come back to it, to the cameras' rows.
  ///
  /// - Parameters:
  ///   - age: how old a note must be; a worker at work adds its own every ten seconds.
  ///   - limit: how many notes at most in this transaction.
  /// - Returns: how many were added.
  /// - Throws: `PostgresError`.
  @discardableResult
  public func addForgottenCameraChanges(olderThanSeconds age: Int64 = 120, limit: Int = 50)
    throws(PostgresError) -> Int
  {
    let result = try connection.execute(
      """
      WITH forgotten AS MATERIALIZED (
        SELECT change_id FROM camera_change WHERE arrived_at <= now() - make_interval(secs => \(age)::double precision)
        ORDER BY change_id LIMIT \(limit) FOR UPDATE SKIP LOCKED),
      sums AS (
        INSERT INTO camera_tally AS stored
        SELECT geographical_location_oid, video_camera_oid, sum(counted), sum(duplicates), sum(conflicts), sum(late),
               sum(future), max(largest_skew_us),
               (array_agg(latest_skew_us ORDER BY change_id DESC) FILTER (WHERE latest_skew_us IS NOT NULL))[1],
               max(last_seen)
        FROM camera_change_element WHERE change_id = ANY (ARRAY(SELECT change_id FROM forgotten))
        GROUP BY 1, 2 ORDER BY 1, 2
        \(unescaped: Self.addToTally))
      DELETE FROM camera_change WHERE change_id IN (SELECT change_id FROM forgotten)
      """
    )
    return result.affectedRows
  }

  private static let addToTally = """
    ON CONFLICT (geographical_location_oid, video_camera_oid) DO UPDATE
    SET counted = stored.counted + excluded.counted, duplicates = stored.duplicates + excluded.duplicates,
        conflicts = stored.conflicts + excluded.conflicts, late = stored.late + excluded.late,
        future = stored.future + excluded.future,
        largest_skew_us = greatest(stored.largest_skew_us, excluded.largest_skew_us),
        latest_skew_us = coalesce(excluded.latest_skew_us, stored.latest_skew_us),
        last_seen = greatest(stored.last_seen, excluded.last_seen)
    """

  private func add(_ known: [CameraNote.Entry]) throws(PostgresError) {
    // Int64.min, which no event time is away from any clock, stands for "no arrival": arrays are sent without NULLs.
    _ = try connection.execute(
      """
      INSERT INTO camera_tally AS stored
      SELECT location, camera, counted, duplicates, conflicts, late, future, nullif(largest, \(Int64.min)),
             nullif(latest, \(Int64.min)), CASE WHEN latest <> \(Int64.min) THEN now() END
      FROM unnest(\(known.map(\.key.location)), \(known.map(\.key.camera)), \(known.map(\.tally.counted)),
                  \(known.map(\.tally.duplicates)), \(known.map(\.tally.conflicts)), \(known.map(\.tally.late)),
                  \(known.map(\.tally.future)), \(known.map { $0.tally.largestSkew ?? .min }),
                  \(known.map { $0.tally.latestSkew ?? .min }))
        AS batch(location, camera, counted, duplicates, conflicts, late, future, largest, latest)
      \(unescaped: Self.addToTally)
      """
    )
  }

  private static func addition(of others: CameraTally) -> Query {
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
  }
}
