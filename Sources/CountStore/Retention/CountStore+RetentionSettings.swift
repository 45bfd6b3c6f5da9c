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

  /// Returns the settings that hold for this database. Where none are stored yet, it stores those that a worker was
  /// given, with the defaults for the rest; afterwards no worker's options change them.
  ///
  /// Options are no confirmation. On a database of a release that stored no settings, each setting by which something
  /// would go that the workers of that release had kept is stored as long as what they kept.
  /// - Throws: `PostgresError`.
  public func settleRetention(_ given: RetentionChange) throws(PostgresError) -> RetentionPolicy {
    if let stored = try storedRetention() { return stored.policy }
    let policy = try policyKeepingWhatIsThere(given.applied(to: RetentionPolicy()))
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

  /// The policy, lengthened until it deletes nothing that was there an hour before the last commit. Workers run
  /// retention every minute, so what was there at that time was within their settings.
  private func policyKeepingWhatIsThere(_ policy: RetentionPolicy) throws(PostgresError) -> RetentionPolicy {
    let lastCommit = try connection.execute(
      "SELECT coalesce(max(committed_at), clock_timestamp()) FROM revision"
    ).timestamp(0, 0)
    let state = try retentionState(now: Timestamp(microseconds: lastCommit).earlier(by: 3600))
    var policy = state.policyKeepingWhatIsThere(policy)
    // The age of the oldest row does not show the setting: it may be the only one. Nothing is deleted until an
    // operator decides.
    if let seconds = policy.deadLetters,
      try exists("dead_letter", where: Self.oldDeadLetters(before: state.now.earlier(by: seconds)))
    {
      policy.deadLetters = nil
    }
    if let seconds = policy.quarantine,
      try exists("quarantine", where: Self.oldQuarantine(before: state.now.earlier(by: seconds)))
    {
      policy.quarantine = nil
    }
    return policy
  }

  private func exists(_ table: String, where condition: Query) throws(PostgresError) -> Bool {
    try connection.execute("SELECT EXISTS (SELECT FROM \(identifier: table) WHERE \(condition))").bool(0, 0)
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
  /// - Throws: `PostgresError`; SQLSTATE 40001 when another session changes them at the same time.
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
