import Counting
public import Postgres

extension CountStore.Lock {
  /// Held by the transaction that folds camera changes: one at a time, so that the number of rows is exact.
  static let cameras: Int64 = 0x746f_7069_0010
}

extension CountStore {
  /// How many cameras have a row of their own by default: some 20 MB.
  public static let defaultCameraLimit = 100_000
  /// How long changes wait at most for the next fold while a worker runs, in seconds.
  public static let cameraFoldInterval: Int64 = 10
  /// How many cameras' changes one fold reads by default, give or take one batch: a bound of its time.
  public static let changesPerFold: Int64 = 1_000_000

  /// The statements that store a batch's counters: one row of arrays, which the next fold adds to the cameras' rows.
  /// What the batch has counted for no camera of its own goes to the common row.
  static func additions(of cameras: CameraCounterTable) -> [Query] {
    var queries: [Query] = []
    let changed = cameras.counters.indices.dropFirst().filter { cameras.counters[$0] != CameraCounters() }
    if !changed.isEmpty { queries.append(insertion(of: cameras, changed)) }
    let others = cameras.counters[Int(CameraCounterTable.others)]
    if others != CameraCounters() { queries.append(addition(of: others)) }
    return queries
  }

  private static func insertion(of cameras: CameraCounterTable, _ changed: [Int]) -> Query {
    func counts(_ count: (CameraCounters) -> Int64) -> [Int32] {
      let counts = changed.map { Int32(clamping: count(cameras.counters[$0])) }
      return counts.allSatisfy { $0 == 0 } ? [] : counts
    }
    // Int64.min stands for "no arrival", as arrays are sent without NULLs.
    func skews(_ skew: (CameraCounters) -> Int64?) -> [Int64] {
      changed.map { skew(cameras.counters[$0]) ?? .min }
    }
    return """
      INSERT INTO camera_change (geographical_location_oids, video_camera_oids, counted, duplicates, conflicts, late,
                                 future, largest_skew_us, latest_skew_us)
      VALUES (\(changed.map { cameras.keys[$0].location }), \(changed.map { cameras.keys[$0].camera }),
              \(counts(\.counted)), \(counts(\.duplicates)), \(counts(\.conflicts)), \(counts(\.late)),
              \(counts(\.future)), \(skews(\.largestSkew)), \(skews(\.latestSkew)))
      """
  }

  private static func addition(of others: CameraCounters) -> Query {
    """
    INSERT INTO camera_overflow AS stored (counted, duplicates, conflicts, late, future, largest_skew_us,
                                           latest_skew_us, last_seen)
    VALUES (\(others.counted), \(others.duplicates), \(others.conflicts), \(others.late), \(others.future),
            \(others.largestSkew), \(others.latestSkew), CASE WHEN \(others.latestSkew != nil) THEN now() END)
    ON CONFLICT (only_row) \(unescaped: addToStored)
    """
  }

  private static let addToStored = """
    DO UPDATE
    SET counted = stored.counted + excluded.counted, duplicates = stored.duplicates + excluded.duplicates,
        conflicts = stored.conflicts + excluded.conflicts, late = stored.late + excluded.late,
        future = stored.future + excluded.future,
        largest_skew_us = greatest(stored.largest_skew_us, excluded.largest_skew_us),
        latest_skew_us = coalesce(excluded.latest_skew_us, stored.latest_skew_us),
        last_seen = greatest(stored.last_seen, excluded.last_seen)
    """

  /// Adds committed changes to the cameras' rows and deletes them, in one transaction.
  ///
  /// A camera without a row gets one while there is room; else its changes go to the common row. It does nothing while
  /// another session folds, and until the oldest change is `age` old. Changes that another session has locked are
  /// left to it: a worker of an older release folds its own.
  ///
  /// - Parameters:
  ///   - limit: how many cameras have a row of their own.
  ///   - age: how old the oldest change must be, in seconds.
  ///   - size: how many cameras' changes one fold reads, give or take one batch; of 1,000 batches at most.
  /// - Returns: how many batches' changes were folded; those that remain take another call.
  /// - Throws: `PostgresError`.
  @discardableResult
  public func foldCameraChanges(
    limit: Int,
    olderThanSeconds age: Int64 = cameraFoldInterval,
    size: Int64 = changesPerFold
  ) throws(PostgresError) -> Int {
    // Most calls find nothing to do: no lock, no transaction.
    let isDue = try connection.execute(
      """
      SELECT coalesce((SELECT arrived_at FROM camera_change ORDER BY change_id LIMIT 1)
                        <= now() - make_interval(secs => \(age)::double precision), false)
      """
    )
    guard try isDue.bool(0, 0) else { return 0 }
    return try connection.transaction { connection throws(PostgresError) in
      let lock = try connection.execute("SELECT pg_try_advisory_xact_lock(\(Lock.cameras))")
      guard try lock.bool(0, 0) else { return 0 }
      return Int(try connection.execute(Self.fold(limit: limit, size: size)).int64(0, 0))
    }
  }

  private static func fold(limit: Int, size: Int64) -> Query {
    """
    WITH picked AS MATERIALIZED (
      SELECT change_id FROM camera_change
      WHERE change_id IN (
        SELECT change_id
        FROM (SELECT change_id, cardinality(geographical_location_oids) AS cameras,
                     sum(cardinality(geographical_location_oids)) OVER (ORDER BY change_id) AS cameras_so_far
              FROM (SELECT * FROM camera_change ORDER BY change_id LIMIT 1000) AS oldest) AS sized
        WHERE cameras_so_far - cameras < \(size))
      ORDER BY change_id FOR UPDATE SKIP LOCKED),
    sums AS MATERIALIZED (
      SELECT geographical_location_oid, video_camera_oid, sum(counted)::bigint AS counted,
             sum(duplicates)::bigint AS duplicates, sum(conflicts)::bigint AS conflicts, sum(late)::bigint AS late,
             sum(future)::bigint AS future, max(largest_skew_us) AS largest_skew_us,
             (array_agg(latest_skew_us ORDER BY change_id DESC) FILTER (WHERE latest_skew_us IS NOT NULL))[1]
               AS latest_skew_us,
             max(last_seen) AS last_seen
      FROM camera_change_element WHERE change_id = ANY (ARRAY(SELECT change_id FROM picked))
      GROUP BY 1, 2),
    new AS MATERIALIZED (
      SELECT geographical_location_oid, video_camera_oid FROM sums
      WHERE NOT EXISTS (SELECT FROM camera_tally AS stored
                        WHERE (stored.geographical_location_oid, stored.video_camera_oid)
                            = (sums.geographical_location_oid, sums.video_camera_oid))),
    refused AS MATERIALIZED (
      SELECT * FROM new ORDER BY 1, 2
      OFFSET CASE WHEN EXISTS (SELECT FROM new)
                  THEN greatest(0, \(limit)::bigint - (SELECT count(*) FROM camera_tally)) ELSE 0 END),
    own AS (
      INSERT INTO camera_tally AS stored
      SELECT sums.* FROM sums LEFT JOIN refused USING (geographical_location_oid, video_camera_oid)
      WHERE refused IS NULL ORDER BY 1, 2
      ON CONFLICT (geographical_location_oid, video_camera_oid) \(unescaped: addToStored)),
    common AS (
      INSERT INTO camera_overflow AS stored (counted, duplicates, conflicts, late, future, largest_skew_us,
                                             latest_skew_us, last_seen)
      SELECT sum(counted), sum(duplicates), sum(conflicts), sum(late), sum(future), max(largest_skew_us),
             (array_agg(latest_skew_us ORDER BY last_seen DESC) FILTER (WHERE latest_skew_us IS NOT NULL))[1],
             max(last_seen)
      FROM sums JOIN refused USING (geographical_location_oid, video_camera_oid)
      HAVING count(*) > 0
      ON CONFLICT (only_row) \(unescaped: addToStored)),
    folded AS (
      DELETE FROM camera_change WHERE change_id IN (SELECT change_id FROM picked) RETURNING change_id)
    SELECT count(*) FROM folded
    """
  }
}
