import Counting
import Postgres

extension CountStore {
  /// How long the row of a worker stays that is not seen any more, in seconds.
  static let workerMemory: Int64 = 86_400
  /// How much of an error's text is kept, in characters.
  static let errorLength = 500

  /// Stores a worker's heartbeat.
  ///
  /// The disk is not waited for where the session says `synchronous_commit = off`: the next heartbeat repeats it all.
  /// - Returns: the database's clock and, once a worker has claimed a partition, the floor.
  /// - Throws: `PostgresError`.
  public func heartbeat(_ identity: WorkerHeartbeat.Identity, _ heartbeat: WorkerHeartbeat)
    throws(PostgresError)
    -> (now: Timestamp, floor: Timestamp?)
  {
    let error = heartbeat.lastError.map { String($0.text.prefix(Self.errorLength)) }
    let result = try connection.execute(
      """
      INSERT INTO worker AS stored (
        id, started_at, seen_at, stopped_at, version, host, pid, topics, partitions, lags, broker_reachable, lag,
        behind_since, last_commit_at, last_error, last_error_at)
      SELECT \(identity.id)::uuid, now - \(heartbeat.age) * us, now, CASE WHEN \(heartbeat.isGoodbye) THEN now END,
             \(identity.version), \(identity.host), \(identity.pid),
             \(heartbeat.partitions.map(\.topic))::text[], \(heartbeat.partitions.map(\.partition))::integer[],
             ARRAY(SELECT nullif(lag, -1) FROM unnest(\(heartbeat.lags.map { $0 ?? -1 })::bigint[])
                   WITH ORDINALITY AS given(lag, place) ORDER BY place),
             \(heartbeat.isBrokerReachable), \(heartbeat.lag), now - \(heartbeat.behindFor) * us, now - \(heartbeat.sinceCommit) * us,
             \(error), now - \(heartbeat.lastError?.age) * us
      FROM (SELECT clock_timestamp() AS now, interval '1 microsecond' AS us) AS clock
      ON CONFLICT (id) DO UPDATE SET
        seen_at = excluded.seen_at, stopped_at = excluded.stopped_at, topics = excluded.topics,
        partitions = excluded.partitions, lags = excluded.lags, broker_reachable = excluded.broker_reachable,
        lag = excluded.lag, behind_since = excluded.behind_since, last_commit_at = excluded.last_commit_at,
        last_error = excluded.last_error, last_error_at = excluded.last_error_at
      RETURNING seen_at, (SELECT floor_at FROM dedup_floor)
      """
    )
    return (
      now: Timestamp(microseconds: try result.timestamp(0, 0)),
      floor: try result.optionalTimestamp(0, 1).map(Timestamp.init(microseconds:))
    )
  }

  /// Deletes workers that were not seen for a day, except the last one: it shows since when none runs.
  /// - Returns: how many rows went.
  /// - Throws: `PostgresError`.
  @discardableResult
  public func forgetOldWorkers() throws(PostgresError) -> Int {
    try connection.execute(
      """
      DELETE FROM worker
      WHERE seen_at < clock_timestamp() - make_interval(secs => \(Self.workerMemory)::double precision)
        AND seen_at < (SELECT max(seen_at) FROM worker WHERE seen_at <= clock_timestamp())
        -- Written while the clock was wrong; a worker that runs writes its row again within seconds.
        OR seen_at > clock_timestamp() + interval '1 minute'
      """
    ).affectedRows
  }

  /// What the store knows of its workers.
  /// - Throws: `PostgresError`.
  public func workers() throws(PostgresError) -> WorkerReading {
    let result = try connection.execute(
      """
      SELECT clock.now, (SELECT max(last_message_at) FROM ingest_offset WHERE last_message_at <= clock.now), id::text, started_at, seen_at, stopped_at,
             version, topics, partitions, ARRAY(SELECT coalesce(lag, -1) FROM unnest(lags)
               WITH ORDINALITY AS reported(lag, place) ORDER BY place),
             broker_reachable, lag, behind_since, last_commit_at
      FROM (SELECT clock_timestamp() AS now) AS clock
      LEFT JOIN worker ON seen_at <= clock.now + interval '1 minute'
                      AND (seen_at > clock.now - \(Freshness.orphaned) * interval '1 microsecond'
                           OR seen_at = (SELECT max(seen_at) FROM worker WHERE seen_at <= clock.now + interval '1 minute'))
      ORDER BY started_at, id
      """
    )
    var reading = WorkerReading(
      now: Timestamp(microseconds: try result.timestamp(0, 0)),
      lastMessageAt: try result.optionalTimestamp(0, 1).map(Timestamp.init(microseconds:)),
      workers: []
    )
    for row in 0..<result.count where !result.isNull(row, 2) {
      reading.workers.append(try Self.worker(result, row))
    }
    return reading
  }

  private static func worker(_ result: borrowing QueryResult, _ row: Int) throws(PostgresError)
    -> WorkerRecord
  {
    let topics = try result.stringArray(row, 7)
    let numbers = try result.int64Array(row, 8)
    return WorkerRecord(
      id: try result.string(row, 2),
      startedAt: Timestamp(microseconds: try result.timestamp(row, 3)),
      seenAt: Timestamp(microseconds: try result.timestamp(row, 4)),
      stoppedAt: try result.optionalTimestamp(row, 5).map(Timestamp.init(microseconds:)),
      version: try result.string(row, 6),
      partitions: zip(topics, numbers).map { PartitionKey(topic: $0, partition: Int32(clamping: $1)) },
      lags: try result.int64Array(row, 9).map { $0 < 0 ? nil : $0 },
      isBrokerReachable: try result.bool(row, 10),
      lag: try result.optionalInt64(row, 11),
      behindSince: try result.optionalTimestamp(row, 12).map(Timestamp.init(microseconds:)),
      lastCommitAt: try result.optionalTimestamp(row, 13).map(Timestamp.init(microseconds:))
    )
  }
}
