import Counting
import Postgres

extension CountStore {
  /// How many messages one readmitting transaction takes: it keeps their partitions' workers waiting meanwhile.
  static let readmissionBatch = 200

  /// Gives dead letters or quarantined events another fate, through the same path as a batch and exactly once: their
  /// rows are locked, judged by the locked floor, and deleted (or relabelled) in the transaction that counts them.
  ///
  /// - Parameters:
  ///   - messages: each position once.
  ///   - verdict: `.counted` lets the constraint decide, `.late` and `.future` quarantine it, nil leaves it.
  /// - Returns: what became of them, and those that the database refuses, with the SQLSTATE.
  /// - Throws: `PostgresError`; what the batches before have changed stays so.
  func readmit(
    _ messages: [Readmission],
    from source: Readmission.Source,
    verdict: (Readmission, EventTimeBounds) -> Fate?
  ) throws(PostgresError) -> (report: ReadmissionReport, refused: [(MessagePosition, code: String)]) {
    guard !messages.isEmpty else { return (ReadmissionReport(), []) }
    do {
      let report = try readmitTogether(
        messages,
        from: source,
        verdict: verdict
      )
      return (report, [])
    } catch  where error.remedy == .refuseMessage || error.sqlState == .checkViolation {
      // 23514 (check_violation) is also PostgreSQL's word for a time for which there is no partition.
      if messages.count == 1 {
        return (ReadmissionReport(), [(messages[0].position, error.sqlState?.rawValue ?? "unknown")])
      }
      // As with a batch: halve it until the one that is refused is alone.
      var sum = ReadmissionReport()
      var refused: [(MessagePosition, code: String)] = []
      let middle = messages.count / 2
      for half in [messages[..<middle], messages[middle...]] {
        let result = try readmit(
          Array(half),
          from: source,
          verdict: verdict
        )
        sum += result.report
        refused += result.refused
      }
      return (sum, refused)
    }
  }

  private func readmitTogether(
    _ messages: [Readmission],
    from source: Readmission.Source,
    verdict: (Readmission, EventTimeBounds) -> Fate?
  ) throws(PostgresError) -> ReadmissionReport {
    let messages = messages.sorted { $0.position < $1.position }
    // In a commit of its own, as before a batch.
    var items = ItemNumbers()
    let numbers = messages.map { items.number(of: $0.event.itemName) }
    let itemIDs = try internItems(items.names)
    var cameras = CameraCounterTable()
    let cameraIndexes = messages.map { message in
      cameras.recordArrival(
        CameraKey(location: message.event.location, camera: message.event.camera),
        skew: nil
      )
    }

    return try connection.transaction { _ throws(PostgresError) in
      let offsets = try lockOffsets(Set(messages.map(\.position.key)).sorted())
      let (bounds, marks) = try lockedBounds()
      let locked = try lock(messages.map(\.position), in: source, asFate: messages.map(\.fate))

      var plan = ReadmissionPlan(cameras: cameras)
      for (index, message) in messages.enumerated() {
        guard locked.contains(message.position), let fate = verdict(message, bounds), fate != message.fate
        else {
          plan.report.left += 1
          continue
        }
        let isAccounted = offsets[message.position.key].map { message.position.offset < $0.nextOffset }
        plan.add(
          message,
          fate: fate,
          isAccounted: isAccounted ?? false,
          item: numbers[index],
          camera: cameraIndexes[index]
        )
      }
      guard !plan.positions.isEmpty else { return plan.report }
      plan.batch.detections.sort { $0.oid < $1.oid }
      plan.batch.dropRepeats()

      var stored = try store(plan.batch, itemIDs: itemIDs, marks, path: .careful)
      if source == .deadLetters { stored.queries += Self.quarantine(plan.batch) }
      if !stored.queries.isEmpty { _ = try connection.pipeline(stored.queries) }
      if source == .quarantine { try relabel(plan) }
      try delete(plan.gone(from: source), from: source)
      let moved = try moveFates(plan.moves(stored.parts))
      _ = try recordRevision(locations: stored.changedLocations, newestEvent: moved.newestEvent)
      return plan.report(stored.parts, moved: moved.accounted)
    }
  }

  /// Locks the rows that still exist with that fate; rows that another session has locked are left to it.
  private func lock(_ positions: [MessagePosition], in source: Readmission.Source, asFate fates: [Fate])
    throws(PostgresError) -> Set<MessagePosition>
  {
    // A dead letter's row has a reason of its own.
    let condition: Query = source == .quarantine ? "kept.reason = wanted.fate" : "true"
    let result = try connection.execute(
      """
      SELECT kept.topic, kept.partition, kept."offset"
      FROM \(unescaped: source.rawValue) AS kept
      JOIN unnest(\(positions.map(\.key.topic)), \(positions.map(\.key.partition)), \(positions.map(\.offset)),
                  \(fates.map(\.rawValue))) AS wanted(topic, partition, "offset", fate)
        ON kept.topic = wanted.topic COLLATE "C" AND kept.partition = wanted.partition
           AND kept."offset" = wanted."offset" AND \(condition)
      ORDER BY 1, 2, 3
      FOR UPDATE OF kept SKIP LOCKED
      """
    )
    var locked: Set<MessagePosition> = []
    for row in 0..<result.count { locked.insert(try Self.position(result, row)) }
    return locked
  }

  private func delete(_ positions: [MessagePosition], from source: Readmission.Source) throws(PostgresError) {
    guard !positions.isEmpty else { return }
    _ = try connection.execute(
      """
      DELETE FROM \(unescaped: source.rawValue) AS kept
      USING unnest(\(positions.map(\.key.topic)), \(positions.map(\.key.partition)), \(positions.map(\.offset)))
        AS gone(topic, partition, "offset")
      WHERE kept.topic = gone.topic COLLATE "C" AND kept.partition = gone.partition AND kept."offset" = gone."offset"
      """
    )
  }

  /// Events that stay in the quarantine under another reason.
  private func relabel(_ plan: ReadmissionPlan) throws(PostgresError) {
    let events = plan.batch.quarantined
    guard !events.isEmpty else { return }
    let keys = events.map { plan.batch.parts[Int($0.part)].key }
    _ = try connection.execute(
      """
      UPDATE quarantine AS kept SET reason = wanted.reason
      FROM unnest(\(keys.map(\.topic)), \(keys.map(\.partition)), \(events.map(\.offset)), \(events.map(\.fate.rawValue)))
        AS wanted(topic, partition, "offset", reason)
      WHERE kept.topic = wanted.topic COLLATE "C" AND kept.partition = wanted.partition
        AND kept."offset" = wanted."offset"
      """
    )
  }

  /// Moves fates in the partitions' rows, which the caller holds.
  ///
  /// What is readmitted may be newer than much that is still to be read. So only where nothing was accepted yet it
  /// sets the time up to which the partition has come.
  /// - Returns: the partitions whose row had accounted for the messages, and the latest event time that was set.
  private func moveFates(_ moves: [PartitionKey: FateMoves]) throws(PostgresError)
    -> (accounted: Set<PartitionKey>, newestEvent: Timestamp?)
  {
    let stored = try storedFates(Array(moves.keys))
    let fitting = moves.filter { key, moves in stored[key].map { moves.fit($0.fates) } ?? false }
    let first = moves.filter { key, _ in stored[key]?.hasEvent == false }.compactMap(\.value.maximumEventAt)
    let rows = moves.map { key, moves in (key: key, moves: moves, fits: fitting[key] != nil) }
    func change(_ fate: Fate) -> [Int64] { rows.map { $0.fits ? $0.moves.changes[fate] ?? 0 : 0 } }
    _ = try connection.execute(
      """
      UPDATE ingest_offset AS stored
      SET max_event_at = coalesce(stored.max_event_at,
                                  nullif(moved.max_event_at, '\(unescaped: Timestamp.neverText)')),
          \(Fate.sums(of: "stored", and: "moved"))
      FROM unnest(\(rows.map(\.key.topic)), \(rows.map(\.key.partition)),
                  \(timestamps: rows.map { ($0.moves.maximumEventAt ?? .never).microseconds }),
                  \(Fate.list { fate, _ in "\(change(fate))" }))
        AS moved(topic, partition, max_event_at, \(Fate.columns))
      WHERE stored.topic = moved.topic COLLATE "C" AND stored.partition = moved.partition
      """
    )
    return (Set(fitting.keys), first.max())
  }

  /// What a partition's row says of its messages.
  private struct StoredFates {
    var fates: FateCounts
    /// Whether any event was accepted.
    var hasEvent: Bool
  }

  private func storedFates(_ keys: [PartitionKey]) throws(PostgresError) -> [PartitionKey: StoredFates] {
    let result = try connection.execute(
      """
      SELECT stored.topic, stored.partition, max_event_at IS NOT NULL, \(Fate.columns)
      FROM ingest_offset AS stored
      JOIN unnest(\(keys.map(\.topic)), \(keys.map(\.partition))) AS wanted(topic, partition)
        ON stored.topic = wanted.topic COLLATE "C" AND stored.partition = wanted.partition
      """
    )
    var stored: [PartitionKey: StoredFates] = [:]
    for row in 0..<result.count {
      let key = PartitionKey(topic: try result.string(row, 0), partition: try result.int32(row, 1))
      let fates = try FateCounts(result, row, from: 3)
      stored[key] = StoredFates(fates: fates, hasEvent: try result.bool(row, 2))
    }
    return stored
  }
}

/// The names of a few events, each once, numbered in the order in which they came. By bytes: a `String` equates
/// composed and decomposed characters.
private struct ItemNumbers {
  private(set) var names: [[UInt8]] = []
  private var numbers: [[UInt8]: Int32] = [:]

  mutating func number(of name: [UInt8]) -> Int32 {
    if let number = numbers[name] { return number }
    let number = Int32(names.count)
    numbers[name] = number
    names.append(name)
    return number
  }
}
