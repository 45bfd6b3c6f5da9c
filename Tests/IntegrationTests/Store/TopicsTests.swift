@testable import CountStore
import Counting
import Postgres
import TestSupport
import Testing

@Suite("a topic that is retired can be forgotten")
struct TopicsTests {
  private typealias Seen = CountStoreFixture.Seen

  /// Partition 0 has counted an old event and still has messages to read; partition 1 is up to date. Both have dead
  /// letters and quarantined events.
  private func fill(_ fixture: CountStoreFixture) throws {
    let claims = try ([0, 1] as [Int32]).map { try #require(try fixture.claim($0)) }
    var behind = fixture.batch(claims[0], [Seen(oid: 1), Seen(oid: 2, at: 1)])
    behind.parts[0].logEnd = 100
    #expect(try fixture.apply(behind).isCommitted)
    let ahead = fixture.batch(claims[1], [Seen(oid: 3, at: 1_800_000_000), Seen(oid: 4, at: 1_800_000_001)])
    #expect(try fixture.apply(ahead).isCommitted)
    for partition in 0...1 {
      try fixture.connection.run(
        script: """
          INSERT INTO dead_letter
          SELECT 'events', \(partition), n, 'empty', NULL, '', 0, NULL FROM generate_series(2, 4) AS n;
          INSERT INTO quarantine
          SELECT 'events', \(partition), n, 'late', n, 1, 1, 'a', now() FROM generate_series(5, 6) AS n;
          INSERT INTO offset_gap VALUES ('events', \(partition), 7, 17);
          UPDATE ingest_offset SET next_offset = 17, dead_letters = 3, late = 2 WHERE partition = \(partition)
          """
      )
    }
    #expect(try fixture.violations() == [])
  }

  private func watermark(_ fixture: CountStoreFixture) throws -> Int64? {
    try fixture.store.status().watermark.map { $0.microseconds - fixture.origin }
  }

  private func total(_ fixture: CountStoreFixture) throws -> FateCounts {
    let result = try fixture.connection.execute("SELECT \(Fate.columns) FROM fate_total")
    return try FateCounts(result, 0, from: 0)
  }

  @Test("its rows go, its fates stay in every total, and the watermark waits for it no more")
  func forgetting() throws {
    try CountStoreFixture.with { fixture throws in
      try fill(fixture)
      let before = try total(fixture)
      #expect(before.counted == 4 && before.deadLetter == 6 && before.late == 4)
      // Kept back by partition 0, which has not been read to its end.
      try fixture.connection.run(
        script: "UPDATE ingest_offset SET last_message_at = now() - interval '1 day' WHERE partition = 0"
      )
      #expect(try watermark(fixture) == 1)

      let reported = try fixture.store.forget(topic: "events", partition: 0, isConfirmed: false)
      #expect(reported.partitions == [CountStoreFixture.key(0)] && !reported.isDone && reported.held == [])
      #expect(
        reported.deadLetters == 3 && reported.quarantined == 2 && reported.lost == 10
          && reported.fates.counted == 2
      )
      #expect(
        try fixture.number("SELECT count(*) FROM ingest_offset") == 2,
        "without a confirmation, nothing"
      )

      let revision = try fixture.number("SELECT max(revision) FROM revision")
      let done = try fixture.store.forget(topic: "events", partition: 0, isConfirmed: true)
      #expect(done.isDone && done.fates == reported.fates)
      for table in ["ingest_offset", "dead_letter", "quarantine", "offset_gap"] {
        let left = try fixture.number("SELECT count(*) FROM \(unescaped: table) WHERE partition = 0")
        let others = try fixture.number("SELECT count(*) FROM \(unescaped: table) WHERE partition = 1")
        #expect(left == 0 && others > 0, "\(table)")
      }
      #expect(try total(fixture) == before)
      #expect(try watermark(fixture) == 1_800_000_001)
      #expect(try fixture.number("SELECT max(revision) FROM revision") > revision, "answers may have changed")
      #expect(try fixture.violations() == [])

      let status = try fixture.store.status()
      #expect(status.partitions.map(\.key) == [CountStoreFixture.key(1)])
      #expect(status.forgotten.map(\.topic) == ["events"] && status.forgotten[0].fates == done.fates)
      #expect(status.forgotten[0].lost == 10)
    }
  }

  @Test("when all is forgotten, totals, watermark and the newest window stay, and counting begins again")
  func all() throws {
    try CountStoreFixture.with { fixture throws in
      try fill(fixture)
      let before = try total(fixture)
      let query = TopItemsQuery(
        locations: [],
        n: 9,
        range: .newest(try #require(TimeSpan(iso8601: "PT1M"))),
        grouping: .all,
        maximumRows: 99
      )
      let newest = try fixture.store.topItems(query)
      #expect(try fixture.store.forget(topic: "events", isConfirmed: true).partitions.count == 2)
      #expect(try total(fixture) == before)
      #expect(try watermark(fixture) == 1_800_000_001)
      let after = try fixture.store.topItems(query)
      #expect(after.from == newest.from && after.to == newest.to && after.rows == newest.rows)
      #expect(try fixture.violations() == [])

      // The topic is created again: its offsets start again, and what was counted is known.
      let claim = try #require(try fixture.claim(0))
      #expect(claim.nextOffset == 0)
      let again = try fixture.apply(fixture.batch(claim, [Seen(oid: 1), Seen(oid: 5, at: 2)]))
      #expect(again.committedParts?[0].fates.counted == 1)
      #expect(try total(fixture).counted == before.counted + 1 && total(fixture).duplicate == 1)
      #expect(try fixture.violations() == [])

      // And forgotten again, into the same row.
      #expect(try fixture.store.forget(topic: "events", partition: 0, isConfirmed: true).isDone)
      #expect(try fixture.number("SELECT count(*) FROM forgotten_topic") == 1)
      #expect(try fixture.number("SELECT partitions FROM forgotten_topic") == 3)
      #expect(try total(fixture).counted == before.counted + 1)
      #expect(try fixture.store.forget(topic: "events", isConfirmed: true).isEmpty, "nothing is left")
    }
  }

  @Test("a live worker's is refused, and nothing of it changes")
  func held() throws {
    try CountStoreFixture.with { fixture throws in
      try fill(fixture)
      var options = ConnectionOptions(url: fixture.url)
      options.applicationName = CountStore.workerSession
      let worker = try Connection(options)
      let report = try fixture.store.forget(topic: "events", isConfirmed: true)
      #expect(report.held == [CountStoreFixture.key(0), CountStoreFixture.key(1)] && !report.isDone)
      #expect(try fixture.number("SELECT count(*) FROM ingest_offset") == 2)
      #expect(try fixture.number("SELECT count(*) FROM dead_letter") == 6)
      #expect(try fixture.store.topicPartitions().allSatisfy(\.isHeld))
      worker.close()
      try waitUntil("the worker's session has ended") { try !fixture.store.isHeld(CountStoreFixture.key(0)) }
      #expect(try fixture.store.forget(topic: "events", isConfirmed: true).isDone)
    }
  }

  @Test("a worker that says which partitions it has holds these alone, while it is live")
  func heartbeat() throws {
    try CountStoreFixture.with { fixture throws in
      try fill(fixture)
      try fixture.connection.run(
        script: """
          INSERT INTO worker
            (id, started_at, seen_at, version, host, pid, topics, partitions, lags, broker_reachable)
          VALUES (gen_random_uuid(), now(), now(), '1', 'h', 1, '{events,other}', '{1,0}', '{NULL,NULL}', true)
          """
      )
      var options = ConnectionOptions(url: fixture.url)
      options.applicationName = CountStore.workerSession
      let worker = try Connection(options)
      defer { worker.close() }
      #expect(try fixture.store.topicPartitions().map(\.isHeld) == [false, true])
      let all = try fixture.store.forget(topic: "events", isConfirmed: true)
      #expect(all.held == [CountStoreFixture.key(1)] && !all.isDone)
      #expect(try fixture.store.forget(topic: "events", partition: 0, isConfirmed: true).isDone)

      // Silent for too long, and its session is still there: another worker, of a release that says nothing.
      try fixture.connection.run(script: "UPDATE worker SET seen_at = now() - interval '2 minutes'")
      #expect(try fixture.store.isHeld(CountStoreFixture.key(1)))
      try fixture.connection.run(
        script: """
          INSERT INTO worker
            (id, started_at, seen_at, version, host, pid, topics, partitions, lags, broker_reachable)
          VALUES (gen_random_uuid(), now(), now(), '1', 'h', 2, '{}', '{}', '{}', true)
          """
      )
      #expect(try !fixture.store.isHeld(CountStoreFixture.key(1)), "the one that is live does not have it")
    }
  }

  @Test("what is kept of a topic whose offsets were deleted by hand can be forgotten, too")
  func withoutOffsets() throws {
    try CountStoreFixture.with { fixture throws in
      try fill(fixture)
      try fixture.connection.run(script: "DELETE FROM ingest_offset WHERE partition = 0")
      let report = try fixture.store.forget(topic: "events", partition: 0, isConfirmed: true)
      #expect(report.isDone && report.partitions == [] && report.deadLetters == 3)
      #expect(try fixture.number("SELECT count(*) FROM quarantine WHERE partition = 0") == 0)
    }
  }

  @Test("the list shows offsets, lag, fates and what is kept of each partition")
  func listing() throws {
    try CountStoreFixture.with { fixture throws in
      try fill(fixture)
      let partitions = try fixture.store.topicPartitions()
      #expect(partitions.map(\.standing.key.partition) == [0, 1])
      #expect(partitions.map(\.standing.nextOffset) == [17, 17])
      #expect(partitions[0].lag == 83)
      #expect(partitions.map(\.deadLettersKept) == [3, 3] && partitions.map(\.quarantined) == [2, 2])
      #expect(partitions.map(\.standing.fates.counted) == [2, 2])
      #expect(partitions.allSatisfy { !$0.isHeld })
    }
  }
}
