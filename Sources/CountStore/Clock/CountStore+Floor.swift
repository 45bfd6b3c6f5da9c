public import Counting
import Postgres

/// The way back from a deduplication floor that is too high, as a wrong clock leaves it.
extension CountStore {
  /// The floor and what depends on it, from one snapshot; nil where there is none yet.
  /// - Parameter changes: how many changes by operators at most.
  /// - Throws: `PostgresError`.
  public func floorState(changes: Int64 = 10) throws(PostgresError) -> FloorState? {
    try connection.transaction(isolation: .repeatableRead, readOnly: true) {
      connection throws(PostgresError) -> FloorState? in
      let floor = try connection.execute(
        """
        SELECT floor_at, purged_until, clock_timestamp(),
               (SELECT count(*) FROM quarantine WHERE reason = 'late' AND detected_at > coalesce(purged_until, '-infinity')),
               (SELECT count(*) FROM quarantine WHERE reason = 'late' AND detected_at <= purged_until)
        FROM dedup_floor
        """
      )
      guard floor.count == 1 else { return nil }
      return FloorState(
        floor: Timestamp(microseconds: try floor.timestamp(0, 0)),
        purgedUntil: try floor.optionalTimestamp(0, 1).map(Timestamp.init(microseconds:)),
        now: Timestamp(microseconds: try floor.timestamp(0, 2)),
        certainLateEvents: try floor.int64(0, 3),
        uncertainLateEvents: try floor.int64(0, 4),
        levels: try levels(),
        changes: try floorChanges(limit: changes)
      )
    }
  }

  /// Moves the floor down, with all that depends on it: partitions from there on, the levels' marks and what is kept of
  /// each level. Late events that are above it now are left in the quarantine: release them afterwards.
  ///
  /// A batch that was judged by the old floor is refused, so that no event is called late by it afterwards.
  /// - Parameters:
  ///   - floor: the new one.
  ///   - acceptsDuplicates: go below what was purged, too.
  ///   - operator: the account that runs the command, for the record.
  ///   - reason: why.
  /// - Throws: `PostgresError`; SQLSTATE 55P03 when the batches in flight do not end in time. Trying again is safe.
  public func setFloor(
    _ floor: Timestamp,
    acceptsDuplicates: Bool,
    operator: String,
    reason: String?
  ) throws(PostgresError) -> FloorOutcome {
    guard try lockMaintenance() else { return .refused(.busy) }
    do {
      let outcome = try setFloorAlone(floor, acceptsDuplicates, `operator`, reason)
      try unlockMaintenance()
      return outcome
    } catch {
      if connection.isUsable { try? unlockMaintenance() }
      throw error
    }
  }

  /// While nothing is folded, dropped or purged.
  private func setFloorAlone(
    _ floor: Timestamp,
    _ acceptsDuplicates: Bool,
    _ name: String,
    _ reason: String?
  ) throws(PostgresError) -> FloorOutcome {
    let stored = try connection.execute("SELECT floor_at, purged_until FROM dedup_floor")
    guard stored.count == 1 else { return .refused(.noFloor) }
    let old = Timestamp(microseconds: try stored.timestamp(0, 0))
    let purged = try stored.optionalTimestamp(0, 1).map(Timestamp.init(microseconds:))
    guard floor < old else { return .refused(.notBelow(floor: old)) }
    let missing = purged.map { floor <= $0 } ?? false ? try missingKeys(from: floor) : 0
    if let purged, floor <= purged, !acceptsDuplicates {
      return .refused(.belowPurged(until: purged, missingKeys: missing))
    }
    // One that an interrupted run was about to drop would block a new one of its name.
    _ = try dropRetiredPartitions(isStopping: { false })
    try ensurePartitions(from: floor, thoroughly: true)
    let change = try exclusively(Lock.floor, Lock.rollup) { connection throws(PostgresError) in
      _ = try connection.execute("UPDATE dedup_floor SET floor_at = \(timestamp: floor.microseconds)")
      try moveLevelsBack()
      let change = try record(
        FloorChange(
          changedAt: floor,
          changedBy: name,
          reason: reason,
          oldFloor: old,
          newFloor: floor,
          acceptsDuplicates: acceptsDuplicates,
          missingKeys: missing
        )
      )
      // Responses about that time may be finer from now on, so that what is cached of them must go.
      _ = try recordRevision(locations: nil)
      return change
    }
    return .changed(change)
  }

  /// Moves the marks, and from when each level is kept, down to the end of the newest unit that has rows; a wrong
  /// clock has moved them ahead, where every batch is added to every level and no response is by the minute.
  ///
  /// Never lower: a fold sums the finer rows again, which may be gone. Between the new and the old mark no level has
  /// rows, so that there is nothing that the finer ones do not have. The marks keep their order (month ≤ day ≤ hour),
  /// on which queries rely: none falls below a coarser one. Under the exclusive locks, while no fold is under way.
  private func moveLevelsBack() throws(PostgresError) {
    let marks = try rollupMarks()
    let month = try endOfRows(.month, below: marks.month.foldedUntil)
    let day = max(month, try endOfRows(.day, below: marks.day.foldedUntil))
    let hour = max(day, try endOfRows(.hour, below: marks.hour.foldedUntil))
    // Minutes and hours that were dropped have rows at a coarser level.
    let kept = try levels()
    func keptFrom(_ level: String) -> Timestamp { kept.first { $0.name == level }?.keptFrom ?? .never }
    let keptHours = min(keptFrom("hour"), try endOfRows(.day, below: keptFrom("hour")))
    let summedMinutes = max(keptHours, try endOfRows(.hour, below: keptFrom("minute")))
    let keptMinutes = min(keptFrom("minute"), summedMinutes)
    _ = try connection.execute(
      """
      UPDATE rollup_mark AS mark SET
        folded_until = least(mark.folded_until, moved.folded_until),
        folding_until = least(mark.folded_until, moved.folded_until),
        kept_from = least(mark.kept_from, moved.kept_from)
      FROM (VALUES ('hour', \(timestamp: hour.microseconds), \(timestamp: keptHours.microseconds)),
                   ('day', \(timestamp: day.microseconds), '\(unescaped: Timestamp.neverText)'::timestamptz),
                   ('month', \(timestamp: month.microseconds), '\(unescaped: Timestamp.neverText)'::timestamptz))
        AS moved(level, folded_until, kept_from)
      WHERE mark.level = moved.level
      """
    )
    _ = try connection.execute(
      """
      UPDATE rollup_mark SET kept_from = \(timestamp: keptMinutes.microseconds)
      WHERE level = 'minute' AND kept_from > \(timestamp: keptMinutes.microseconds)
      """
    )
    // What an interrupted fold had listed: the next one sums all of it again.
    _ = try connection.execute("DELETE FROM rollup_change")
  }

  /// The end of the newest unit below a time that has rows at a level; the year 1 where none has.
  private func endOfRows(_ level: RollupLevel, below time: Timestamp) throws(PostgresError) -> Timestamp {
    let result = try connection.execute(
      """
      SELECT max(last) + ('1 ' || \(level.rawValue))::interval FROM counted_location, LATERAL (
        SELECT max(window_start) AS last FROM \(unescaped: level.table) AS stored
        WHERE stored.geographical_location_oid = counted_location.geographical_location_oid
          AND window_start < \(timestamp: time.microseconds)) AS newest
      """
    )
    return try result.optionalTimestamp(0, 0).map(Timestamp.init(microseconds:)) ?? .never
  }

  /// How many detections were counted from a time on whose key is gone: the counts, by the finest level that is kept
  /// of each span of time, less the keys. The unit that the time lies in is taken as a whole.
  private func missingKeys(from time: Timestamp) throws(PostgresError) -> Int64 {
    let result = try connection.execute(
      """
      WITH kept AS (
        SELECT max(kept_from) FILTER (WHERE level = 'minute') AS minutes, max(kept_from) FILTER (WHERE level = 'hour') AS hours
        FROM rollup_mark),
      asked AS (
        SELECT minutes, hours,
               date_trunc(CASE WHEN time < hours THEN 'day' WHEN time < minutes THEN 'hour' ELSE 'minute' END, time, 'UTC')
                 AS start
        FROM kept, (VALUES (\(timestamp: time.microseconds))) AS wish(time))
      SELECT (coalesce((SELECT sum(item_count) FROM window_count WHERE window_start >= greatest(start, minutes)), 0)
              + coalesce((SELECT sum(item_count) FROM window_count_hour
                          WHERE window_start >= greatest(start, hours) AND window_start < minutes), 0)
              + coalesce((SELECT sum(item_count) FROM window_count_day
                          WHERE window_start >= start AND window_start < hours), 0))::bigint
             - (SELECT count(*) FROM detection WHERE detected_at >= start)
      FROM asked
      """
    )
    return max(0, try result.int64(0, 0))
  }

  private func levels() throws(PostgresError) -> [FloorState.Level] {
    let result = try connection.execute(
      """
      SELECT level, nullif(folded_until, 'infinity'), kept_from FROM rollup_mark
      ORDER BY array_position(ARRAY['minute', 'hour', 'day', 'month'], level)
      """
    )
    var levels: [FloorState.Level] = []
    for row in 0..<result.count {
      levels.append(
        FloorState.Level(
          name: try result.string(row, 0),
          foldedUntil: try result.optionalTimestamp(row, 1).map(Timestamp.init(microseconds:)),
          keptFrom: Timestamp(microseconds: try result.timestamp(row, 2))
        )
      )
    }
    return levels
  }

  private static let changeColumns: Query =
    "changed_at, changed_by, reason, old_floor, new_floor, accepts_duplicates, missing_keys"

  private func record(_ change: FloorChange) throws(PostgresError) -> FloorChange {
    let result = try connection.execute(
      """
      INSERT INTO floor_change (changed_by, reason, old_floor, new_floor, purged_until, accepts_duplicates, missing_keys)
      SELECT \(change.changedBy), \(change.reason), \(timestamp: change.oldFloor.microseconds),
             \(timestamp: change.newFloor.microseconds), purged_until, \(change.acceptsDuplicates), \(change.missingKeys)
      FROM dedup_floor
      RETURNING \(Self.changeColumns)
      """
    )
    return try Self.floorChange(result, 0)
  }

  private func floorChanges(limit: Int64) throws(PostgresError) -> [FloorChange] {
    let result = try connection.execute(
      "SELECT \(Self.changeColumns) FROM floor_change ORDER BY change_id DESC LIMIT \(limit)"
    )
    var changes: [FloorChange] = []
    for row in 0..<result.count { changes.append(try Self.floorChange(result, row)) }
    return changes
  }

  private static func floorChange(_ result: borrowing QueryResult, _ row: Int) throws(PostgresError)
    -> FloorChange
  {
    FloorChange(
      changedAt: Timestamp(microseconds: try result.timestamp(row, 0)),
      changedBy: try result.string(row, 1),
      reason: try result.optionalString(row, 2),
      oldFloor: Timestamp(microseconds: try result.timestamp(row, 3)),
      newFloor: Timestamp(microseconds: try result.timestamp(row, 4)),
      acceptsDuplicates: try result.bool(row, 5),
      missingKeys: try result.int64(row, 6)
    )
  }
}
