import Counting
public import Postgres

extension CountStore {
  /// What was counted of forgotten topics, by topic.
  /// - Throws: `PostgresError`.
  public func forgottenTopics() throws(PostgresError) -> [ForgottenTopic] {
    let result = try connection.execute(
      """
      SELECT topic, partitions, lost, forgotten_at, \(Fate.columns)
      FROM forgotten_topic ORDER BY topic
      """
    )
    var topics: [ForgottenTopic] = []
    for row in 0..<result.count {
      topics.append(
        ForgottenTopic(
          topic: try result.string(row, 0),
          fates: try FateCounts(result, row, from: 4),
          partitions: try result.int64(row, 1),
          lost: try result.int64(row, 2),
          forgottenAt: Timestamp(microseconds: try result.timestamp(row, 3))
        )
      )
    }
    return topics
  }

  /// Where each partition stands, with what is kept of it, and whether a live worker has it.
  /// - Throws: `PostgresError`.
  public func topicPartitions() throws(PostgresError) -> [StoredPartition] {
    try connection.transaction(isolation: .repeatableRead, readOnly: true) { _ throws(PostgresError) in
      let kept = try connection.execute(
        """
        SELECT topic, partition, sum(dead_letters)::bigint, sum(quarantined)::bigint
        FROM (SELECT topic, partition, count(*) AS dead_letters, 0 AS quarantined FROM dead_letter GROUP BY 1, 2
              UNION ALL SELECT topic, partition, 0, count(*) FROM quarantine GROUP BY 1, 2) AS kept
        GROUP BY 1, 2
        """
      )
      var aside: [PartitionKey: (deadLetters: Int64, quarantined: Int64)] = [:]
      for row in 0..<kept.count {
        let key = PartitionKey(topic: try kept.string(row, 0), partition: try kept.int32(row, 1))
        aside[key] = (try kept.int64(row, 2), try kept.int64(row, 3))
      }
      let workers = try self.workers()
      let lags = workers.lags(at: workers.now)
      var partitions: [StoredPartition] = []
      for standing in try self.partitions() {
        let lastKnown = standing.logEnd.map {
          max(0, $0.subtractingReportingOverflow(standing.nextOffset).partialValue)
        }
        partitions.append(
          StoredPartition(
            standing: standing,
            deadLettersKept: aside[standing.key]?.deadLetters ?? 0,
            quarantined: aside[standing.key]?.quarantined ?? 0,
            isHeld: try isHeld(standing.key),
            lag: lags[standing.key] ?? lastKnown
          )
        )
      }
      return partitions
    }
  }

  /// Whether a live worker has a partition: then what is deleted of it would come back at its next claim.
  ///
  /// Workers say every few seconds which partitions they have (`worker`). Those of a release that did not are known
  /// by their sessions alone: while there is one and no worker says anything, it may have any partition.
  /// - Throws: `PostgresError`.
  func isHeld(_ key: PartitionKey) throws(PostgresError) -> Bool {
    let sessions: Query =
      """
      EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                AND application_name = \(Self.workerSession) AND pid <> pg_backend_pid())
      """
    guard try connection.execute("SELECT to_regclass('worker') IS NOT NULL").bool(0, 0) else {
      return try connection.execute("SELECT \(sessions)").bool(0, 0)
    }
    return try connection.execute(
      """
      WITH live AS (
        SELECT topics, partitions FROM worker
        WHERE stopped_at IS NULL AND seen_at BETWEEN clock_timestamp() - make_interval(secs => \(Self.workerSilence))
                                                  AND clock_timestamp() + make_interval(secs => \(Self.workerSilence)))
      SELECT EXISTS (SELECT FROM live, unnest(topics, partitions) AS held(topic, partition)
                     WHERE held.topic = \(key.topic) AND held.partition = \(key.partition))
             OR \(sessions) AND NOT EXISTS (SELECT FROM live)
      """
    ).bool(0, 0)
  }

  /// The `application_name` of workers' sessions.
  static let workerSession = "topitems ingest"
  /// A worker that has said nothing for so many seconds is no longer live.
  static let workerSilence: Double = 60

  /// Deletes what is stored of a topic or of one of its partitions: offsets, gaps, dead letters and quarantined
  /// events. Its fates stay in `forgotten_topic`, so that totals never fall; counts and keys of its detections stay
  /// as they are. The watermark waits for it no more.
  ///
  /// - Parameters:
  ///   - partition: only this one; nil for all.
  ///   - isConfirmed: otherwise it changes nothing and only reports.
  /// - Throws: `PostgresError`; SQLSTATE 55P03 when a batch holds the rows for long.
  public func forget(topic: String, partition: Int32? = nil, isConfirmed: Bool) throws(PostgresError)
    -> ForgetReport
  {
    try connection.transaction { _ throws(PostgresError) in
      let which: Query =
        partition.map { "topic = \(topic) AND partition = \($0)" } ?? "topic = \(topic)"
      var report = ForgetReport()
      let stored = try connection.execute("SELECT partition FROM ingest_offset WHERE \(which) ORDER BY 1")
      var keys: [PartitionKey] = []
      for row in 0..<stored.count {
        keys.append(PartitionKey(topic: topic, partition: try stored.int32(row, 0)))
      }
      // In the order of every writer: the offsets first. What waits for them finds no row, or the forgotten state.
      report.partitions = try lockOffsets(keys).keys.sorted()
      for key in report.partitions where try isHeld(key) { report.held.append(key) }
      let locked = report.partitions.map(\.partition)
      let sums = try connection.execute(
        """
        SELECT (SELECT count(*) FROM dead_letter WHERE \(which)), (SELECT count(*) FROM quarantine WHERE \(which)),
               (SELECT coalesce(sum(to_offset - from_offset), 0)::bigint FROM offset_gap WHERE \(which)),
               max(max_event_at), \(Fate.list { _, column in "coalesce(sum(\(unescaped: "\(column)")), 0)::bigint" })
        FROM ingest_offset WHERE topic = \(topic) AND partition = ANY(\(locked)::integer[])
        """
      )
      (report.deadLetters, report.quarantined) = (try sums.int64(0, 0), try sums.int64(0, 1))
      report.lost = try sums.int64(0, 2)
      report.fates = try FateCounts(sums, 0, from: 4)
      guard isConfirmed, report.held.isEmpty, !report.isEmpty else { return report }
      try keep(report, topic, newestEvent: try sums.optionalTimestamp(0, 3))
      for table in ["quarantine", "dead_letter", "offset_gap"] {
        _ = try connection.execute("DELETE FROM \(unescaped: table) WHERE \(which)")
      }
      _ = try connection.execute(
        "DELETE FROM ingest_offset WHERE topic = \(topic) AND partition = ANY(\(locked)::integer[])"
      )
      // Its messages may be among those that were just deleted: then nothing is, and the command can be repeated.
      guard try connection.execute("SELECT FROM ingest_offset WHERE \(which) LIMIT 1").count == 0 else {
        throw PostgresError(
          .server,
          "a worker has claimed a partition of \(topic) meanwhile: stop it, and try again",
          sqlState: SQLState(rawValue: "40001")
        )
      }
      // The watermark may have moved for every location.
      _ = try recordRevision(locations: nil)
      report.isDone = true
      return report
    }
  }

  private func keep(_ report: ForgetReport, _ topic: String, newestEvent: Int64?) throws(PostgresError) {
    _ = try connection.execute(
      """
      INSERT INTO forgotten_topic AS kept
        (topic, partitions, \(Fate.columns), lost, max_event_at)
      VALUES (\(topic), \(report.partitions.count), \(Fate.list { fate, _ in "\(report.fates[fate])" }), \(report.lost),
              \(timestamp: newestEvent))
      ON CONFLICT (topic) DO UPDATE SET
        partitions = kept.partitions + excluded.partitions, \(Fate.sums(of: "kept", and: "excluded")),
        lost = kept.lost + excluded.lost,
        max_event_at = greatest(kept.max_event_at, excluded.max_event_at), forgotten_at = excluded.forgotten_at,
        forgotten_by = excluded.forgotten_by
      """
    )
  }
}
