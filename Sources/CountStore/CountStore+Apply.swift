import Counting
import Postgres

/// How a batch ended that was not refused by the database.
public enum ApplyOutcome: Sendable, Equatable {
  /// All of it is committed.
  case committed(AppliedBatch)
  /// Nothing is written: for these partitions the stored epoch or offset is not the one that the batch builds on.
  case fenced([PartitionKey])
  /// Nothing is written: the floor has risen above a detection of the batch, which must be classified anew.
  case floorRose(EventTimeBounds)
}

/// Whether the writer expects to meet detections that are stored already.
public enum ApplyPath: Sendable {
  /// COPY, and the careful path only when it meets the unique constraint: the fastest where repeats are rare.
  case optimistic
  /// `INSERT … ON CONFLICT DO NOTHING RETURNING` at once: the fastest where a COPY would only be rolled back.
  case careful
}

extension CountStore {
  /// Writes a batch in one transaction: detections, counts, put-aside and dead messages, offsets, revision, NOTIFY.
  ///
  /// - Parameters:
  ///   - itemIDs: the stored id of each dictionary index that the batch refers to.
  ///   - cameras: knows those that have a row of their own, see `admit`; the others are counted together.
  /// - Throws: `PostgresError`; `.commitUnknown` when the connection was lost during COMMIT, so that only a later
  ///   `claim` can tell whether the batch is stored.
  public func apply(_ batch: Batch, itemIDs: [Int64], path: ApplyPath, cameras: inout CameraLedger)
    throws(PostgresError) -> ApplyOutcome
  {
    var times = PhaseTimes()
    try connection.begin()
    let outcome: ApplyOutcome
    do {
      outcome = try write(batch, itemIDs: itemIDs, path: path, cameras: &cameras, times: &times)
      guard case .committed = outcome else {
        connection.rollback()
        cameras.unstage()
        return outcome
      }
      try connection.commit()
    } catch {
      connection.rollback()
      cameras.unstage()
      throw error
    }
    cameras.settle()
    guard case .committed(var applied) = outcome else { return outcome }
    times.end(.commit)
    applied.times = times
    return .committed(applied)
  }

  /// The same for a writer that gives no camera a row of its own.
  public func apply(_ batch: Batch, itemIDs: [Int64], path: ApplyPath) throws(PostgresError) -> ApplyOutcome {
    var cameras = CameraLedger(limit: 0)
    return try apply(batch, itemIDs: itemIDs, path: path, cameras: &cameras)
  }

  private func write(
    _ batch: Batch,
    itemIDs: [Int64],
    path: ApplyPath,
    cameras: inout CameraLedger,
    times: inout PhaseTimes
  ) throws(PostgresError) -> ApplyOutcome {
    let fenced = try fencedPartitions(batch)
    guard fenced.isEmpty else { return .fenced(fenced) }

    let bounds = try lockedEventTimeBounds()
    if let oldest = batch.oldestDetection, oldest < bounds.floor { return .floorRose(bounds) }
    times.end(.lock)

    let stored = try store(batch, itemIDs: itemIDs, path: path, cameras: &cameras, times: &times)
    try quarantine(batch)
    try bury(batch)
    try advanceOffsets(stored.parts)
    let revision = try recordRevision(
      locations: stored.changedLocations,
      newestEvent: stored.parts.compactMap(\.maximumEventAt).max()
    )
    times.end(.offsets)
    return .committed(
      AppliedBatch(
        revision: revision,
        parts: stored.parts,
        bounds: bounds,
        usedCarefulPath: stored.usedCarefulPath,
        times: times
      )
    )
  }

  /// The floor and the clock; neither the floor nor the marks of the rollup move before the transaction's end.
  func lockedEventTimeBounds() throws(PostgresError) -> EventTimeBounds {
    try lockBoundsShared()
    return try eventTimeBounds()
  }

  /// Stores the batch's detections and what they add up to, for locations and for cameras. The caller holds the rows
  /// of `ingest_offset` and has read `lockedEventTimeBounds`.
  ///
  /// - Returns: the batch's parts, with the fates that the constraint decided, and which locations' counts changed.
  func store(
    _ batch: Batch,
    itemIDs: [Int64],
    path: ApplyPath,
    cameras: inout CameraLedger,
    times: inout PhaseTimes
  ) throws(PostgresError) -> (parts: [Batch.Part], changedLocations: [Int64]?, usedCarefulPath: Bool) {
    var conclusion: BatchConclusion?
    let usedCarefulPath = try storeDetections(batch.detections, path: path) { verdicts in
      cameras.mergeSettled()
      conclusion = BatchConclusion(batch, verdicts: verdicts, itemIDs: itemIDs, cameras: cameras)
    }
    guard let conclusion else { preconditionFailure("storeDetections always concludes") }
    times.end(.copy)
    try addToRollups(conclusion.counts, try add(conclusion.counts))
    try record(conclusion.cameras, in: &cameras)
    times.end(.counts)
    return (conclusion.parts, conclusion.counts.changedLocations(), usedCarefulPath)
  }

  /// The partitions whose stored position is not the one that the batch builds on.
  private func fencedPartitions(_ batch: Batch) throws(PostgresError) -> [PartitionKey] {
    let stored = try lockOffsets(batch.parts.map(\.key))
    return batch.parts.filter { part in
      stored[part.key].map { $0.epoch != part.epoch || $0.nextOffset != part.base } ?? true
    }.map(\.key)
  }

  private func advanceOffsets(_ parts: [Batch.Part]) throws(PostgresError) {
    func fates(_ fate: Fate) -> [Int64] { parts.map { Int64($0.fates[fate]) } }
    let maximumEventAt = parts.map { ($0.maximumEventAt ?? .never).microseconds }
    _ = try connection.execute(
      """
      UPDATE ingest_offset AS stored
      SET next_offset = batch.next_offset,
          max_event_at = greatest(stored.max_event_at,
                                  nullif(batch.max_event_at, '\(unescaped: Timestamp.neverText)')),
          last_message_at = clock_timestamp(),
          log_end_offset = coalesce(nullif(batch.log_end_offset, -1), stored.log_end_offset),
          counted = stored.counted + batch.counted, duplicates = stored.duplicates + batch.duplicates,
          late = stored.late + batch.late, future = stored.future + batch.future,
          dead_letters = stored.dead_letters + batch.dead_letters, tombstones = stored.tombstones + batch.tombstones
      FROM unnest(\(parts.map(\.topic))::text[], \(parts.map(\.partition))::integer[],
                  \(parts.map(\.next))::bigint[], \(timestamps: maximumEventAt)::timestamptz[],
                  \(fates(.counted))::bigint[], \(fates(.duplicate))::bigint[], \(fates(.late))::bigint[],
                  \(fates(.future))::bigint[], \(fates(.deadLetter))::bigint[], \(fates(.tombstone))::bigint[],
                  \(parts.map { $0.logEnd ?? -1 })::bigint[])
        AS batch(topic, partition, next_offset, max_event_at, counted, duplicates, late, future, dead_letters,
                 tombstones, log_end_offset)
      WHERE stored.topic = batch.topic COLLATE "C" AND stored.partition = batch.partition
      """
    )
  }
}

extension Batch.Part {
  /// The partition that the part is a stretch of.
  public var key: PartitionKey { PartitionKey(topic: topic, partition: partition) }
}

extension Timestamp {
  /// Stands for "no time" in an array that is sent to PostgreSQL; no event is that old.
  static let never = Timestamp(microseconds: -62_135_596_800_000_000)
  static let neverText = "0001-01-01 00:00:00+00"
}
