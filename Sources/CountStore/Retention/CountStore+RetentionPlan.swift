public import Counting
public import Postgres

extension CountStore {
  /// What a run of retention by a policy would do now, on the state as each of its steps would leave it: what is
  /// folded and the floor that is raised decide what goes. It locks and writes nothing, and reads what the run would
  /// read, and all keys of detections: some seconds where there are many millions.
  ///
  /// - Parameter now: the time to plan with; nil for the database's clock.
  /// - Throws: `PostgresError`.
  public func planRetention(_ policy: RetentionPolicy, now: Timestamp? = nil) throws(PostgresError)
    -> RetentionPlan
  {
    try connection.transaction(isolation: .repeatableRead, readOnly: true) { _ throws(PostgresError) in
      try planInTransaction(policy, now: now)
    }
  }

  /// The same within a transaction that keeps its snapshot.
  func planInTransaction(_ policy: RetentionPolicy, now: Timestamp? = nil) throws(PostgresError)
    -> RetentionPlan
  {
    var state = try retentionState(now: now)
    var plan = RetentionPlan(now: state.now)
    let made = try partitionsToMake()
    plan.made = made.map(\.name)
    state.partitions = (state.partitions + made).sorted { ($0.stop, $0.name) < ($1.stop, $1.name) }

    let before = state.marks
    let target = state.foldTarget(policy)
    for level in RollupLevel.allCases {
      guard let end = state.marks.foldEnd(level, until: target) else { continue }
      state.marks.fold(level, until: end)
      let rows = try rows(ofFold: level, from: before[level].foldedUntil, to: end, before)
      plan.folds.append(RetentionPlan.Fold(level: level, until: end, rows: rows))
    }
    plan.floor = state.floorDue(policy)
    state.floor = plan.floor ?? state.floor
    let retired = state.keptFromDue(policy).map(state.partitions(before:)) ?? []
    for name in try unfinishedDrops() where !retired.contains(where: { $0.name == name }) {
      plan.dropped.append(try measure(name))
    }
    for partition in retired { plan.dropped.append(try measure(partition, before, after: state.marks)) }

    if let floor = state.floor {
      plan.keys = try deletion(
        from: "detection",
        where: Self.purgeableKeys(below: policy.purgeFloor(floor, now: state.now))
      )
    }
    if let seconds = policy.deadLetters {
      let condition = Self.oldDeadLetters(before: state.now.earlier(by: seconds))
      plan.deadLetters = try deletion(from: "dead_letter", where: condition)
    }
    if let seconds = policy.quarantine {
      let condition = Self.oldQuarantine(before: state.now.earlier(by: seconds))
      plan.quarantine = try deletion(from: "quarantine", where: condition)
    }
    return plan
  }

  /// How many rows a fold writes: it may read those of finer levels that the folds before it are still to write, so
  /// each time is taken from the finest level that is not folded there yet.
  private func rows(ofFold level: RollupLevel, from: Timestamp, to: Timestamp, _ marks: RollupMarks)
    throws(PostgresError) -> Int64
  {
    var sources: Query = ""
    var top = to
    // Minutes above the hours' mark, hours between it and the days', and so on down to `from`.
    let levels: [(table: String, from: Timestamp)] =
      [("window_count", level == .hour ? from : marks.hour.foldedUntil)]
      + RollupLevel.allCases.filter { $0.isFiner(than: level) }.map { finer in
        (finer.table, finer.coarser.map { $0 == level ? from : marks[$0].foldedUntil } ?? from)
      }
    for (index, source) in levels.enumerated() {
      let low = max(source.from, from)
      let rows: Query =
        """
        SELECT geographical_location_oid, window_start, item_id FROM \(unescaped: source.table)
        WHERE window_start >= \(timestamp: low.microseconds) AND window_start < \(timestamp: top.microseconds)
        """
      sources = index == 0 ? rows : "\(sources) UNION ALL \(rows)"
      top = min(top, low)
    }
    return try connection.execute(
      """
      SELECT count(*) FROM (
        SELECT DISTINCT geographical_location_oid, date_trunc(\(level.rawValue), window_start, 'UTC'), item_id
        FROM (\(sources)) AS finer) AS sums
      """
    ).int64(0, 0)
  }

  private func measure(_ partition: RetentionState.Partition, _ before: RollupMarks, after: RollupMarks)
    throws(PostgresError) -> RetentionPlan.Partition
  {
    guard partition.exists else { return RetentionPlan.Partition(name: partition.name, rows: 0, bytes: 0) }
    var measured = try measure(partition.name)
    guard partition.parent == PartitionedTable.hours.name else { return measured }
    // Above the mark stands only what an interrupted fold has left; the run's own fold writes it again.
    let mark = max(before.hour.foldedUntil, partition.start ?? Timestamp(microseconds: .min))
    let end = min(after.hour.foldedUntil, partition.stop)
    guard mark < end else { return measured }
    measured.rows = try connection.execute(
      """
      SELECT (SELECT count(*) FROM \(identifier: partition.name)
              WHERE window_start < \(timestamp: before.hour.foldedUntil.microseconds))
           + (SELECT count(*) FROM (
                SELECT DISTINCT geographical_location_oid, date_trunc('hour', window_start, 'UTC'), item_id
                FROM window_count WHERE window_start >= \(timestamp: mark.microseconds)
                  AND window_start < \(timestamp: end.microseconds)) AS sums)
      """
    ).int64(0, 0)
    return measured
  }

  private func measure(_ name: String) throws(PostgresError) -> RetentionPlan.Partition {
    let result = try connection.execute(
      "SELECT count(*), pg_total_relation_size(\(quotedName(name))::regclass) FROM \(identifier: name)"
    )
    return RetentionPlan.Partition(name: name, rows: try result.int64(0, 0), bytes: try result.int64(0, 1))
  }

  private func quotedName(_ name: String) throws(PostgresError) -> String {
    try connection.execute("SELECT quote_ident(\(name))").string(0, 0)
  }

  private func deletion(from table: String, where condition: Query) throws(PostgresError)
    -> RetentionPlan.Deletion
  {
    let result = try connection.execute(
      """
      SELECT doomed, (pg_total_relation_size(\(table)::regclass) * (doomed::numeric / greatest(every, 1)))::bigint
      FROM (SELECT count(*) FILTER (WHERE \(condition)) AS doomed, count(*) AS every FROM \(identifier: table)) AS counts
      """
    )
    return RetentionPlan.Deletion(rows: try result.int64(0, 0), bytes: try result.int64(0, 1))
  }
}
