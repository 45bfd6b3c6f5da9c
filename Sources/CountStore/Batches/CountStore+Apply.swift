import Counting
import Postgres

/// How a batch ended that was not refused by the database.
public enum ApplyOutcome: Sendable, Equatable {
  /// All of it is committed.
  case committed(AppliedBatch)
  /// Nothing is written: for these partitions the stored epoch or offset is not the one that the batch builds on.
  case fenced([PartitionKey])
  /// Nothing is written: the floor has risen above a detection of the batch, or has been lowered to a late event of it;
  /// its messages must be classified again.
  case floorMoved(EventTimeBounds)
}

/// Whether the writer expects to meet detections that are stored already.
public enum ApplyPath: Sendable {
  /// COPY, and the careful path only when it meets the unique constraint: the fastest where repeats are rare.
  case optimistic
  /// `INSERT … ON CONFLICT DO NOTHING RETURNING` at once: the fastest where a COPY would only be rolled back.
  case careful
}

extension CountStore {
  /// Writes a batch in one transaction: detections, counts, quarantined events, dead letters, offsets, revision,
  /// NOTIFY.
  ///
  /// - Parameter itemIDs: the stored id of each dictionary index that the batch refers to.
  /// - Throws: `PostgresError`; `.commitUnknown` when the connection was lost during COMMIT, so that only a later
  ///   `claim` can find out whether the batch is stored.
  public func apply(_ batch: Batch, itemIDs: [Int64], path: ApplyPath) throws(PostgresError) -> ApplyOutcome {
    do {
      return try attempt(batch, itemIDs: itemIDs, path: path)
    } catch  where path == .optimistic && error.sqlState == .uniqueViolation {
      // A small batch meets the constraint in its last statements; all of it is rolled back.
      return try attempt(batch, itemIDs: itemIDs, path: .careful)
    }
  }

  private func attempt(_ batch: Batch, itemIDs: [Int64], path: ApplyPath) throws(PostgresError)
    -> ApplyOutcome
  {
    var times = PhaseTimes()
    do {
      let opening = try connection.begin(running: [
        Self.offsetLock(batch.parts.map(\.key)), Self.boundsLock, EventTimeBounds.query, RollupMarks.query,
      ])
      let fenced = batch.fenced(by: try Self.offsets(opening.take(1)))
      let bounds = try EventTimeBounds(opening.take(3))
      let isLate = batch.oldestDetection.map { $0 < bounds.floor } ?? false
      let isTooLate = batch.newestLateEvent.map { $0 >= bounds.floor } ?? false
      guard fenced.isEmpty, !isLate, !isTooLate else {
        connection.rollback()
        return fenced.isEmpty ? .floorMoved(bounds) : .fenced(fenced)
      }
      let marks = try RollupMarks(opening.take(4))
      times.end(.lock)

      var stored = try store(batch, itemIDs: itemIDs, marks, path: path)
      times.end(.copy)
      stored.queries += Self.quarantine(batch) + Self.insertDeadLetters(batch) + [Self.advance(stored.parts)]
      stored.queries += Self.revisionQueries(
        locations: stored.changedLocations,
        newestEvent: stored.parts.compactMap(\.maximumEventAt).max()
      )
      let closing = try connection.commit(running: stored.queries)
      times.end(.commit)
      return .committed(
        AppliedBatch(
          revision: try closing.take(stored.queries.count - 1).int64(0, 0),
          parts: stored.parts,
          bounds: bounds,
          usedCarefulPath: stored.usedCarefulPath,
          times: times
        )
      )
    } catch {
      connection.rollback()
      throw error
    }
  }

  /// Takes the locks under which neither the floor nor the marks of the rollup move before the transaction's end, and
  /// no key is purged, and reads them.
  func lockedBounds() throws(PostgresError) -> (EventTimeBounds, RollupMarks) {
    let results = try connection.pipeline([
      Self.boundsLock, EventTimeBounds.queryBlockingPurges, RollupMarks.query,
    ])
    return (try EventTimeBounds(results.take(1)), try RollupMarks(results.take(2)))
  }

  /// What became of a batch's detections.
  struct Stored {
    /// The batch's, with the fates that the constraint decided.
    var parts: [Batch.Part]
    /// nil when they are too many to be named.
    var changedLocations: [Int64]?
    var usedCarefulPath: Bool
    /// The statements that remain, so that all of them take one round trip.
    var queries: [Query]
  }

  /// Stores the batch's detections and what they add up to, for locations and for cameras. The caller holds the rows
  /// of `ingest_offset` and what `lockedBounds` locks.
  func store(
    _ batch: Batch,
    itemIDs: [Int64],
    _ marks: RollupMarks,
    path: ApplyPath
  ) throws(PostgresError) -> Stored {
    var conclusion: BatchConclusion?
    var queries: [Query] = []
    let usedCarefulPath = try storeDetections(batch.detections, path: path, queries: &queries) { verdicts in
      conclusion = BatchConclusion(batch, verdicts: verdicts, itemIDs: itemIDs)
    }
    guard let conclusion else { preconditionFailure("storeDetections always concludes") }
    queries += Self.additions(of: conclusion.counts, marks)
    queries += Self.additions(of: conclusion.cameras)
    return Stored(
      parts: conclusion.parts,
      changedLocations: conclusion.counts.changedLocations(),
      usedCarefulPath: usedCarefulPath,
      queries: queries
    )
  }

  private static func advance(_ parts: [Batch.Part]) -> Query {
    let maximumEventAt = parts.map { ($0.maximumEventAt ?? .never).microseconds }
    return """
      UPDATE ingest_offset AS stored
      SET next_offset = batch.next_offset,
          max_event_at = greatest(stored.max_event_at,
                                  nullif(batch.max_event_at, '\(unescaped: Timestamp.neverText)')),
          last_message_at = clock_timestamp(),
          log_end_offset = coalesce(nullif(batch.log_end_offset, -1), stored.log_end_offset),
          \(Fate.sums(of: "stored", and: "batch"))
      FROM unnest(\(parts.map(\.topic))::text[], \(parts.map(\.partition))::integer[],
                  \(parts.map(\.next))::bigint[], \(timestamps: maximumEventAt)::timestamptz[],
                  \(Fate.list { fate, _ in "\(parts.map { Int64($0.fates[fate]) })::bigint[]" }),
                  \(parts.map { $0.logEnd ?? -1 })::bigint[])
        AS batch(topic, partition, next_offset, max_event_at, \(Fate.columns), log_end_offset)
      WHERE stored.topic = batch.topic COLLATE "C" AND stored.partition = batch.partition
      """
  }
}

extension Batch {
  /// The partitions whose stored position is not the one that the batch builds on.
  fileprivate func fenced(by stored: [PartitionKey: PartitionClaim]) -> [PartitionKey] {
    parts.filter { part in
      stored[part.key].map { $0.epoch != part.epoch || $0.nextOffset != part.base } ?? true
    }.map(\.key)
  }
}

extension Batch.Part {
  /// The partition of the range.
  public var key: PartitionKey { PartitionKey(topic: topic, partition: partition) }
}

extension Timestamp {
  /// Stands for "no time" in an array that is sent to PostgreSQL; no event is that old.
  static let never = Timestamp(microseconds: -62_135_596_800_000_000)
  static let neverText = "0001-01-01 00:00:00+00"
}
