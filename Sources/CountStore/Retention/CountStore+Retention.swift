import Counting
import Postgres

extension CountStore {
  /// What retention decides from.
  /// - Parameter now: the time to decide with; nil for the database's clock.
  /// - Throws: `PostgresError`.
  func retentionState(now: Timestamp? = nil) throws(PostgresError) -> RetentionState {
    let result = try connection.execute(
      """
      SELECT coalesce(\(timestamp: now?.microseconds), clock_timestamp()), watermark, (SELECT floor_at FROM dedup_floor),
             (SELECT kept_from FROM rollup_mark WHERE level = 'minute'),
             (SELECT kept_from FROM rollup_mark WHERE level = 'hour')
      FROM (\(unescaped: Label.sql)) AS labels
      """
    )
    return RetentionState(
      now: Timestamp(microseconds: try result.timestamp(0, 0)),
      watermark: try result.optionalTimestamp(0, 1).map(Timestamp.init(microseconds:)),
      floor: try result.optionalTimestamp(0, 2).map(Timestamp.init(microseconds:)),
      marks: try rollupMarks(),
      minutesKeptFrom: Timestamp(microseconds: try result.timestamp(0, 3)),
      hoursKeptFrom: Timestamp(microseconds: try result.timestamp(0, 4)),
      partitions: try attachedPartitions()
    )
  }

  private func attachedPartitions() throws(PostgresError) -> [RetentionState.Partition] {
    let result = try connection.execute(
      """
      SELECT relname::text, inhparent::regclass::text,
             substring(bound FROM 'FROM \\(''([^'']*)''')::timestamptz AS start,
             substring(bound FROM 'TO \\(''([^'']*)''')::timestamptz AS stop
      FROM pg_inherits JOIN pg_class ON oid = inhrelid, LATERAL pg_get_expr(relpartbound, oid) AS bound
      WHERE inhparent IN ('window_count'::regclass, 'window_count_hour'::regclass) AND bound LIKE '%TO (''%'
      ORDER BY stop, relname
      """
    )
    var partitions: [RetentionState.Partition] = []
    for row in 0..<result.count {
      partitions.append(
        RetentionState.Partition(
          name: try result.string(row, 0),
          parent: try result.string(row, 1),
          start: try result.optionalTimestamp(row, 2).map(Timestamp.init(microseconds:)),
          stop: Timestamp(microseconds: try result.timestamp(row, 3))
        )
      )
    }
    return partitions
  }

  /// Raises the deduplication floor to the horizon, while no batch relies on it. It falls only when an operator says so
  /// (`setFloor`).
  /// - Returns: the new floor, or nil when it stays.
  /// - Throws: `PostgresError`; SQLSTATE 55P03 when the batches in flight do not end in time.
  public func raiseFloor(_ policy: RetentionPolicy, at now: AgreedTime) throws(PostgresError) -> Timestamp? {
    guard let floor = try retentionState(now: now.time).floorDue(policy) else { return nil }
    try exclusively(Lock.floor) { connection throws(PostgresError) in
      _ = try connection.execute(
        """
        UPDATE dedup_floor SET floor_at = \(timestamp: floor.microseconds)
        WHERE floor_at < \(timestamp: floor.microseconds)
        """
      )
    }
    return floor
  }

  /// Moves the time from which minutes and hours are kept, as `RetentionState.keptFromDue` says.
  ///
  /// No lock is needed: batches do not count below the floor, and a query finds this time and what it allows to be
  /// read in one snapshot. It must be committed before a partition is detached.
  /// - Returns: the partitions that hold nothing younger, now in `retired_partition`.
  /// - Throws: `PostgresError`.
  @discardableResult
  func retirePartitions(_ policy: RetentionPolicy, at now: AgreedTime) throws(PostgresError) -> [String] {
    let state = try retentionState(now: now.time)
    guard let kept = state.keptFromDue(policy) else { return [] }
    let retired = state.partitions(before: kept)
    return try connection.transaction { connection throws(PostgresError) -> [String] in
      _ = try connection.execute(
        """
        UPDATE rollup_mark SET kept_from = CASE level WHEN 'minute' THEN \(timestamp: kept.minutes.microseconds)
                                                      ELSE \(timestamp: kept.hours.microseconds) END
        WHERE level IN ('minute', 'hour')
        """
      )
      _ = try connection.execute(
        """
        INSERT INTO retired_partition (name, parent)
        SELECT * FROM unnest(\(retired.map(\.name)), \(retired.map(\.parent))) ON CONFLICT DO NOTHING
        """
      )
      // Responses about that time widen from now on, so that what is cached of them must go.
      _ = try recordRevision(locations: nil)
      return retired.map(\.name)
    }
  }

  /// Partitions that an earlier run has retired and not dropped.
  func unfinishedDrops() throws(PostgresError) -> [String] {
    let result = try connection.execute(
      "SELECT name FROM retired_partition WHERE to_regclass(name) IS NOT NULL ORDER BY name"
    )
    var names: [String] = []
    for row in 0..<result.count { names.append(try result.string(row, 0)) }
    return names
  }

  /// Detaches and drops what `retirePartitions` has written down, and takes up what an earlier run left unfinished.
  ///
  /// `DETACH … CONCURRENTLY` waits for sessions that use the table, without making others wait; one that was
  /// interrupted is completed by `FINALIZE`. The detached table is then dropped.
  /// - Returns: the names of those that are gone now.
  /// - Throws: `PostgresError`; SQLSTATE 55P03 when a long transaction uses the table. The next run goes on from there.
  func dropRetiredPartitions(isStopping: () -> Bool) throws(PostgresError) -> [String] {
    let retired = try connection.execute(
      """
      SELECT retired.name, retired.parent, inhdetachpending, to_regclass(retired.name) IS NOT NULL
      FROM retired_partition AS retired
      LEFT JOIN pg_inherits ON inhrelid = to_regclass(retired.name) AND inhparent = to_regclass(retired.parent)
      ORDER BY inhdetachpending DESC NULLS LAST, retired.name
      """
    )
    guard retired.count > 0 else { return [] }
    // DETACH … CONCURRENTLY runs in no transaction, so that SET LOCAL would do nothing.
    let usual = try connection.execute("SELECT current_setting('lock_timeout')").string(0, 0)
    try connection.run(script: "SET lock_timeout = '5s'")
    defer { _ = try? connection.execute("SELECT set_config('lock_timeout', \(usual), false)") }
    var dropped: [String] = []
    for row in 0..<retired.count where !isStopping() {
      let (name, parent) = (try retired.string(row, 0), try retired.string(row, 1))
      if !retired.isNull(row, 2) {
        let how = try retired.bool(row, 2) ? "FINALIZE" : "CONCURRENTLY"
        let sql: Query =
          "ALTER TABLE \(identifier: parent) DETACH PARTITION \(identifier: name) \(unescaped: how)"
        try connection.run(script: sql.sql)
      }
      let drop: Query = "DROP TABLE IF EXISTS \(identifier: name)"
      try connection.run(script: drop.sql)
      _ = try connection.execute("DELETE FROM retired_partition WHERE name = \(name)")
      if try retired.bool(row, 3) { dropped.append(name) }
    }
    return dropped
  }
}
