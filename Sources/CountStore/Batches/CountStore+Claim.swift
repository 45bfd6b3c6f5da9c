import Counting
import Postgres

extension CountStore {
  /// Answers where each partition goes on, and raises the epoch of those that are taken from another holder.
  ///
  /// It waits for a transaction that is changing a row: after a COMMIT whose outcome is unknown, a plain read could
  /// still see the old offset while the old backend commits.
  ///
  /// - Parameters:
  ///   - dedupHorizonSeconds: how far back the deduplication floor begins, where there is none yet.
  ///   - host: the first floor goes by the earlier of its wall clock and the database's: one that is too low costs some
  ///     empty partitions, one that is too high makes every event late.
  /// - Returns: the claims that were granted. A request is missing from them when another worker holds the partition
  ///   and `mayTake` is false.
  /// - Throws: `PostgresError`.
  public func claim(
    _ requests: [ClaimRequest],
    dedupHorizonSeconds: Int64,
    host: HostClock = .system
  ) throws(PostgresError) -> (claims: [PartitionClaim], bounds: EventTimeBounds) {
    let granted = try connection.transaction { _ throws(PostgresError) in
      let requests = requests.sorted { $0.key < $1.key }
      let stored = try lockOffsets(requests.map(\.key))
      var claims: [PartitionClaim] = []
      for request in requests {
        if let claim = try resolve(request, stored: stored[request.key]) { claims.append(claim) }
      }
      return (claims, try eventTimeBounds(dedupHorizonSeconds: dedupHorizonSeconds, host))
    }
    // Now that there is a floor: from it on, every event may come.
    try ensurePartitions()
    return granted
  }

  /// The partitions whose stored epoch or offset is not the given one: taken by another worker, or thrown back by a
  /// failover or crash of PostgreSQL that lost commits.
  ///
  /// - Throws: `PostgresError`.
  public func moved(_ positions: [PartitionClaim]) throws(PostgresError) -> [PartitionKey] {
    let stored = try lockOffsets(positions.map(\.key))
    return positions.filter { stored[$0.key] != $0 }.map(\.key)
  }

  /// The stored offsets and epochs, locked until the transaction ends, in the order that every writer keeps.
  func lockOffsets(_ keys: [PartitionKey]) throws(PostgresError) -> [PartitionKey: PartitionClaim] {
    try Self.offsets(connection.execute(Self.offsetLock(keys)))
  }

  static func offsetLock(_ keys: [PartitionKey]) -> Query {
    """
    SELECT stored.topic, stored.partition, stored.epoch, stored.next_offset
    FROM ingest_offset AS stored
    JOIN unnest(\(keys.map(\.topic))::text[], \(keys.map(\.partition))::integer[]) AS wanted(topic, partition)
      ON stored.topic = wanted.topic COLLATE "C" AND stored.partition = wanted.partition
    ORDER BY stored.topic, stored.partition
    FOR UPDATE OF stored
    """
  }

  /// - Parameter result: of `offsetLock`.
  static func offsets(_ result: borrowing QueryResult) throws(PostgresError) -> [PartitionKey: PartitionClaim]
  {
    var stored: [PartitionKey: PartitionClaim] = [:]
    for row in 0..<result.count {
      let key = PartitionKey(topic: try result.string(row, 0), partition: try result.int32(row, 1))
      stored[key] = PartitionClaim(
        key: key,
        epoch: try result.int64(row, 2),
        nextOffset: try result.int64(row, 3)
      )
    }
    return stored
  }

  private func resolve(_ request: ClaimRequest, stored: PartitionClaim?) throws(PostgresError)
    -> PartitionClaim?
  {
    let key = request.key
    guard let stored else {
      return try insertOffset(key, startingAt: request.lowWatermark)
    }
    var claim = stored
    if stored.epoch != request.heldEpoch {
      guard request.mayTake else { return nil }
      claim.epoch += 1
    }
    if request.gapIsCertain, claim.nextOffset < request.lowWatermark {
      claim.gap = claim.nextOffset..<request.lowWatermark
    }
    if claim.gap != nil, request.passesGap {
      claim.nextOffset = request.lowWatermark
      _ = try connection.execute(
        """
        INSERT INTO offset_gap (topic, partition, from_offset, to_offset)
        VALUES (\(key.topic), \(key.partition), \(stored.nextOffset), \(request.lowWatermark))
        ON CONFLICT (topic, partition, from_offset) DO UPDATE SET to_offset = excluded.to_offset
        """
      )
    }
    if claim.epoch != stored.epoch || claim.nextOffset != stored.nextOffset {
      _ = try connection.execute(
        """
        UPDATE ingest_offset SET epoch = \(claim.epoch), next_offset = \(claim.nextOffset)
        WHERE topic = \(key.topic) AND partition = \(key.partition)
        """
      )
    }
    return claim
  }

  /// The first claim of a partition. Two workers may both find no row: the second then finds the first one's, and
  /// takes it over.
  private func insertOffset(_ key: PartitionKey, startingAt offset: Int64) throws(PostgresError)
    -> PartitionClaim
  {
    let result = try connection.execute(
      """
      INSERT INTO ingest_offset AS stored (topic, partition, next_offset, epoch)
      VALUES (\(key.topic), \(key.partition), \(offset), 1)
      ON CONFLICT (topic, partition) DO UPDATE SET epoch = stored.epoch + 1
      RETURNING epoch, next_offset
      """
    )
    return PartitionClaim(key: key, epoch: try result.int64(0, 0), nextOffset: try result.int64(0, 1))
  }

  private func eventTimeBounds(dedupHorizonSeconds: Int64, _ host: HostClock) throws(PostgresError)
    -> EventTimeBounds
  {
    // From 1970 to the year 9999, which PostgreSQL's calendar holds.
    let wall = min(max(host.wall(), 0), 253_402_300_799_000_000)
    _ = try connection.execute(
      """
      INSERT INTO dedup_floor (floor_at)
      VALUES (least(clock_timestamp(), \(timestamp: wall)) - make_interval(secs => \(dedupHorizonSeconds)::double precision))
      ON CONFLICT (only_row) DO NOTHING
      """
    )
    return try eventTimeBounds()
  }

  /// The floor and the clock. Within a batch, read it in a statement after the one that took `Lock.floor`: a
  /// statement sees what was committed when it began, not when it got its locks.
  func eventTimeBounds() throws(PostgresError) -> EventTimeBounds {
    try EventTimeBounds(connection.execute(EventTimeBounds.query))
  }
}

extension EventTimeBounds {
  static let query: Query = "SELECT floor_at, clock_timestamp(), purged_until FROM dedup_floor"
  /// The same; no key is purged until the transaction ends.
  static let queryBlockingPurges: Query = "\(query) FOR SHARE"

  /// - Parameter result: of `query`.
  init(_ result: borrowing QueryResult) throws(PostgresError) {
    guard result.count == 1 else {
      throw PostgresError(
        .protocol,
        "the table dedup_floor has \(result.count) rows instead of 1; a worker's claim fills it"
      )
    }
    self.init(
      floor: Timestamp(microseconds: try result.timestamp(0, 0)),
      now: Timestamp(microseconds: try result.timestamp(0, 1)),
      purgedUntil: try result.optionalTimestamp(0, 2).map(Timestamp.init(microseconds:))
    )
  }
}
