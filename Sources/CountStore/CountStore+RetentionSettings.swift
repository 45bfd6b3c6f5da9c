import Counting
public import Postgres

extension CountStore {
  /// The stored settings; nil where neither a worker nor `topitems retention set` has run yet.
  /// - Throws: `PostgresError`.
  public func storedRetention() throws(PostgresError) -> StoredRetention? {
    try storedRetention(locking: false)
  }

  private func storedRetention(locking: Bool) throws(PostgresError) -> StoredRetention? {
    let result = try connection.execute(
      """
      SELECT dedup_horizon_s, keep_minutes_s, keep_hours_s, keep_dead_letters_s, keep_quarantine_s, changed_at, changed_by
      FROM retention_setting \(unescaped: locking ? "FOR UPDATE" : "")
      """
    )
    guard result.count == 1 else { return nil }
    var policy = RetentionPolicy()
    policy.dedupHorizon = try result.int64(0, 0)
    policy.minutes = try result.int64(0, 1)
    policy.hours = try result.int64(0, 2)
    policy.deadLetters = try result.optionalInt64(0, 3)
    policy.quarantine = try result.optionalInt64(0, 4)
    return StoredRetention(
      policy: policy,
      changedAt: Timestamp(microseconds: try result.timestamp(0, 5)),
      changedBy: try result.string(0, 6)
    )
  }

  /// The settings that hold for this database. Where none are stored yet, those that a worker was given are, the
  /// defaults for the rest; afterwards nothing that a worker is given changes them.
  ///
  /// Given settings are no confirmation: a horizon of less than half of what the floor shows to be in use (a database of
  /// the release before, and a slip) is not stored; what is in use is.
  /// - Throws: `PostgresError`.
  public func settleRetention(_ given: RetentionChange) throws(PostgresError) -> RetentionPolicy {
    if let stored = try storedRetention() { return stored.policy }
    var policy = given.applied(to: RetentionPolicy())
    let used = try horizonInUse()
    if let used, policy.dedupHorizon < used - policy.dedupHorizon { policy.dedupHorizon = used }
    try store(policy, overwriting: false)
    // Another worker may have been first.
    return try storedRetention()?.policy ?? policy
  }

  /// The settings for a run of retention that no worker does: the stored ones, or the defaults where nothing has been
  /// claimed yet.
  /// - Throws: `PostgresError`; `.protocol` where workers of the release before have counted by their own options,
  ///   which are not known here: by the defaults more might go than they mean.
  public func retentionForCommand() throws(PostgresError) -> RetentionPolicy {
    if let stored = try storedRetention() { return stored.policy }
    guard try connection.execute("SELECT FROM dedup_floor").count == 0 else {
      throw PostgresError(
        .protocol,
        "no settings of retention are stored: start a worker with its options, or run 'topitems retention set'"
      )
    }
    return RetentionPolicy()
  }

  /// How far back the floor is, in whole hours; nil before the first claim, and where the floor lies ahead.
  private func horizonInUse() throws(PostgresError) -> Int64? {
    let result = try connection.execute(
      "SELECT ceil(extract(epoch FROM clock_timestamp() - floor_at) / 3600)::bigint * 3600 FROM dedup_floor"
    )
    guard result.count == 1, case let seconds = try result.int64(0, 0), seconds > 0 else { return nil }
    return seconds
  }

  private func store(_ policy: RetentionPolicy, overwriting: Bool) throws(PostgresError) {
    let conflict: Query =
      overwriting
      ? """
      UPDATE SET dedup_horizon_s = excluded.dedup_horizon_s, keep_minutes_s = excluded.keep_minutes_s,
        keep_hours_s = excluded.keep_hours_s, keep_dead_letters_s = excluded.keep_dead_letters_s,
        keep_quarantine_s = excluded.keep_quarantine_s, changed_at = clock_timestamp(), changed_by = current_user
      """ : "NOTHING"
    _ = try connection.execute(
      """
      INSERT INTO retention_setting
        (dedup_horizon_s, keep_minutes_s, keep_hours_s, keep_dead_letters_s, keep_quarantine_s)
      VALUES (\(policy.dedupHorizon), \(policy.minutes), \(policy.hours), \(policy.deadLetters), \(policy.quarantine))
      ON CONFLICT (only_row) DO \(conflict)
      """
    )
  }

  /// Changes the settings, or says what that would do. Workers go by them from their next run of retention on.
  ///
  /// - Parameters:
  ///   - isConfirmed: without it, a change that `needsConfirmation` is not stored.
  ///   - dryRun: store nothing.
  /// - Throws: `PostgresError`; SQLSTATE 40001 when someone else changes them at the same time.
  public func changeRetention(_ change: RetentionChange, isConfirmed: Bool, dryRun: Bool = false)
    throws(PostgresError) -> RetentionChangeReport
  {
    // One snapshot for both plans, and one change at a time.
    try connection.transaction(isolation: .repeatableRead) { _ throws(PostgresError) in
      let stored = try storedRetention(locking: true)
      let old = stored?.policy ?? RetentionPolicy()
      var report = RetentionChangeReport(old: old, new: change.applied(to: old))
      report.isFirst = stored == nil
      let isShorter = report.changed.contains { setting in
        report.new[setting].map { new in report.old[setting].map { new < $0 } ?? true } ?? false
      }
      if isShorter || report.isFirst {
        let plan = try planInTransaction(report.new)
        report.plan = plan
        // What workers went by is not known where nothing is stored: then all that goes is news.
        report.planBefore =
          report.isFirst ? RetentionPlan(now: plan.now) : try planInTransaction(old, now: plan.now)
      }
      guard !dryRun, isConfirmed || !report.needsConfirmation else { return report }
      if report.isFirst || !report.changed.isEmpty {
        try store(report.new, overwriting: true)
        report.isStored = true
      }
      return report
    }
  }
}
