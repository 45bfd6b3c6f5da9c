import Counting
import Postgres

extension CountStore {
  /// Until when a level may be folded: what is older than the watermark, and by a delay, so that a stream which lags,
  /// or catches up after an outage, is not written to every level at once. A stream that lags by more than a day does
  /// not hold the fold up: the number of minutes that an answer reads must stay bounded.
  func foldTarget(delay: Int64, at now: AgreedTime) throws(PostgresError) -> AgreedTime {
    let result = try connection.execute("SELECT watermark FROM (\(unescaped: Label.sql)) AS labels")
    let watermark = try result.optionalTimestamp(0, 0).map(Timestamp.init(microseconds:))
    let slowest = now.ago(86_400)
    let reached = now.limited(to: max(watermark ?? slowest, slowest))
    return reached.limited(to: reached.ago(delay))
  }

  /// Raises the deduplication floor to the horizon, while no batch relies on it. It falls only when an operator says so
  /// (`setFloor`).
  /// - Parameter dryRun: only tell.
  /// - Returns: the new floor, or nil when it stays.
  /// - Throws: `PostgresError`; SQLSTATE 55P03 when the batches in flight do not end in time.
  public func raiseFloor(_ policy: RetentionPolicy, at now: AgreedTime, dryRun: Bool = false)
    throws(PostgresError) -> Timestamp?
  {
    let floor = now.ago(policy.dedupHorizon).microseconds
    let stored = try connection.execute("SELECT floor_at FROM dedup_floor")
    guard stored.count == 1,
      try stored.timestamp(0, 0) < now.ago(policy.dedupHorizon + policy.floorStep).microseconds
    else { return nil }
    guard !dryRun else { return Timestamp(microseconds: floor) }
    try exclusively(Lock.floor) { connection throws(PostgresError) in
      _ = try connection.execute(
        "UPDATE dedup_floor SET floor_at = \(timestamp: floor) WHERE floor_at < \(timestamp: floor)"
      )
    }
    return Timestamp(microseconds: floor)
  }

  /// Moves the time from which minutes and hours are kept: by whole partitions, never beyond what the next coarser
  /// level covers, and for the minutes never above the floor or the horizon, as an event that is above them may come at any
  /// time.
  ///
  /// No lock is needed: batches do not count below the floor, and a query finds this time and what it allows to be
  /// read in one snapshot. It must be committed before a partition is detached.
  /// - Returns: the partitions that hold nothing younger, now in `retired_partition`.
  /// - Throws: `PostgresError`.
  func retirePartitions(_ policy: RetentionPolicy, at now: AgreedTime, dryRun: Bool) throws(PostgresError)
    -> [String]
  {
    let oldestMinutes = now.ago(max(policy.minutes, policy.dedupHorizon)).microseconds
    let target = try connection.execute(
      """
      SELECT greatest(minute.kept_from, minutes.target) AS minutes,
             greatest(hour.kept_from, least(
               date_trunc('month', \(timestamp: now.ago(policy.hours).microseconds), 'UTC'),
               date_trunc('month', day.folded_until, 'UTC'),
               date_trunc('month', greatest(minute.kept_from, minutes.target), 'UTC'))) AS hours,
             minute.kept_from, hour.kept_from
      FROM rollup_mark AS minute, rollup_mark AS hour, rollup_mark AS day,
           LATERAL (SELECT date_trunc('day', least(
             \(timestamp: oldestMinutes), hour.folded_until,
             coalesce((SELECT floor_at FROM dedup_floor), '0001-01-01 00:00:00+00')), 'UTC')) AS minutes(target)
      WHERE minute.level = 'minute' AND hour.level = 'hour' AND day.level = 'day'
      """
    )
    let (minutes, hours) = (try target.timestamp(0, 0), try target.timestamp(0, 1))
    let (oldMinutes, oldHours) = (try target.timestamp(0, 2), try target.timestamp(0, 3))
    if dryRun { return try partitions(ofMinutesBefore: minutes, ofHoursBefore: hours) }
    guard minutes != oldMinutes || hours != oldHours else { return [] }
    return try connection.transaction { connection throws(PostgresError) -> [String] in
      _ = try connection.execute(
        """
        UPDATE rollup_mark SET kept_from = CASE level WHEN 'minute' THEN \(timestamp: minutes)
                                                      ELSE \(timestamp: hours) END
        WHERE level IN ('minute', 'hour')
        """
      )
      let retired = try partitions(ofMinutesBefore: minutes, ofHoursBefore: hours)
      _ = try connection.execute(
        """
        INSERT INTO retired_partition (name, parent)
        SELECT name, CASE WHEN name LIKE 'window_count_hour%' THEN 'window_count_hour' ELSE 'window_count' END
        FROM unnest(\(retired)::text[]) AS name ON CONFLICT DO NOTHING
        """
      )
      // Answers about that time widen from now on, so that what is cached of them must go.
      _ = try recordRevision(locations: nil)
      return retired
    }
  }

  private func partitions(ofMinutesBefore minutes: Int64, ofHoursBefore hours: Int64) throws(PostgresError)
    -> [String]
  {
    let result = try connection.execute(
      """
      SELECT relname::text FROM pg_inherits JOIN pg_class ON oid = inhrelid,
           LATERAL (SELECT substring(pg_get_expr(relpartbound, oid) FROM 'TO \\(''([^'']*)''')::timestamptz) AS bound(stop)
      WHERE inhparent = 'window_count'::regclass AND stop <= \(timestamp: minutes)
         OR inhparent = 'window_count_hour'::regclass AND stop <= \(timestamp: hours)
      ORDER BY stop
      """
    )
    var names: [String] = []
    for row in 0..<result.count { names.append(try result.string(row, 0)) }
    return names
  }

  /// Detaches and drops what `retirePartitions` has written down, and takes up what an earlier run left unfinished.
  ///
  /// `DETACH … CONCURRENTLY` waits for those who use the table, without making others wait; one that was interrupted
  /// is completed by `FINALIZE`. The table that then stands alone is dropped.
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
