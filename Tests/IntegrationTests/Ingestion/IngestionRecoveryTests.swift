import CountStore
import Counting
import Foundation
import Ingestion
import Kafka
import Postgres
import TestSupport
import Testing

@Suite("a worker that things happen to")
struct IngestionRecoveryTests {
  @Test("drain reads all partitions to their ends, commits, and ends; a second one finds nothing to do")
  func drain() async throws {
    try await IngestionFixture.with(partitions: 4) { fixture throws in
      try fixture.detectMany(0..<5000)
      let first = try fixture.drain()
      #expect(try first.fates(within: 1).counted == 5000)
      #expect(try fixture.accounted() == 5000)
      let second = try fixture.drain()
      #expect(try second.fates(within: 1) == FateCounts())
      #expect(try fixture.violations() == [])
    }
  }

  @Test("a drain of empty partitions ends, and leaves their rows at the log's start")
  func drainOfNothing() async throws {
    try await IngestionFixture.with(partitions: 2) { fixture throws in
      try fixture.drain()
      #expect(try fixture.number("SELECT count(*) FROM ingest_offset") == 2)
      #expect(try fixture.accounted() == 0)
    }
  }

  @Test("Kafka's group gets the last batch's offsets too, when nothing comes after it")
  func groupOffsets() async throws {
    try await IngestionFixture.with { fixture throws in
      let options = fixture.options()
      let worker = fixture.start(options)
      for oid: Int64 in 0..<5 {
        try fixture.detect(oid)
        try fixture.flush()
        try worker.wait("\(oid) is committed") { try fixture.accounted() == oid + 1 }
      }
      let looker = try Consumer(options.kafka) { _, _ in }
      defer { looker.close(timeout: 5000) }
      let partition = TopicPartition(topic: fixture.topic, partition: 0)
      try waitUntil("the group is where the counts are") {
        try looker.committed([partition], timeout: 5000) == [partition: 5]
      }
      try worker.stop()
    }
  }

  @Test("a regular expression finds every topic that matches, and no other")
  func regularExpression() async throws {
    try await IngestionFixture.with { fixture throws in
      let prefix = Broker.uniqueTopic("site")
      let topics = try (1...3).map { try fixture.broker.createTopic("\(prefix)_\($0)", partitions: 1) }
      let other = try fixture.broker.createTopic("x\(prefix)_4", partitions: 1)
      for (index, topic) in topics.enumerated() {
        for oid: Int64 in 0..<50 { try fixture.detect(Int64(index) * 50 + oid, topic: topic) }
      }
      try fixture.send(
        IngestionFixture.payload(oid: 999, location: 1, detectedAt: fixture.origin, item: "box"),
        topic: other
      )
      try fixture.drain { $0.topics = ["^\(prefix)_.*"] }
      #expect(try fixture.number("SELECT count(DISTINCT topic) FROM ingest_offset") == 3)
      #expect(try fixture.violations() == [])
    }
  }

  @Test("backends that are terminated again and again while they count cost time, and no count")
  func terminatedBackends() async throws {
    try await IngestionFixture.with(partitions: 3) { fixture throws in
      let watch = InvariantWatch(url: fixture.url)
      let worker = fixture.start(fixture.options())
      try worker.wait("it reads") { worker.isReading }
      var killed: Int64 = 0
      var sent: Int64 = 0
      var deadline = ProgressDeadline(.seconds(60))
      while sent < 20_000 || killed < 10 {
        deadline.look("\(min(sent, 20_000)) sent, \(killed) backends were met at work")
        try #require(!deadline.isOver, "\(deadline.verdict)")
        try fixture.detectMany(sent..<sent + 200)
        sent += 200
        if sent % 400 == 0 { try fixture.detectMany(sent / 2..<sent / 2 + 50) }
        killed += try fixture.number(
          """
          SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
          WHERE datname = current_database() AND application_name = 'worker'
            AND (state <> 'idle' OR random() < 0.02)
          """
        )
      }
      try fixture.flush()
      let messages = sent + sent / 400 * 50
      try worker.wait("all is committed") { try fixture.accounted() == messages }
      try worker.stop()
      #expect(worker.retries.count > 0)
      #expect(try watch.stop() == [])
      #expect(try fixture.violations() == [])
      #expect(try fixture.number("SELECT count(*) FROM dead_letter") == 0)
    }
  }

  @Test(
    "PostgreSQL away at the start, then up; stopped at once in the middle, then up again: nothing is lost"
  )
  func postgresAway() async throws {
    try await withTaskExecutorPreference(BlockingThreads.shared) { try awayAndBack() }
  }

  private func awayAndBack() throws {
    let cluster = try PostgresCluster(fsync: true)
    defer { cluster.remove() }
    let fixture = try IngestionFixture(url: cluster.url(), partitions: 2)
    fixture.connection.close()
    try cluster.stop()
    let worker = fixture.start(fixture.options())
    try fixture.detectMany(0..<500)
    try fixture.flush()
    try worker.wait("it has tried") { worker.retries.count >= 2 }
    try cluster.start()
    func look() throws -> Int64 {
      let connection = try CountStoreFixture.connect(cluster.url())
      return try connection.execute("SELECT coalesce(sum(next_offset), 0)::bigint FROM ingest_offset").int64(
        0,
        0
      )
    }
    try worker.wait("it is counted") { try look() == 500 }
    for round: Int64 in 1...3 {
      let sending = (round * 1000)..<(round * 1000 + 1000)
      try fixture.detectMany(sending.lowerBound..<sending.lowerBound + 500)
      try cluster.stop(.immediate)
      try fixture.detectMany(sending.lowerBound + 500..<sending.upperBound)
      try fixture.flush()
      try cluster.start()
      try worker.wait("round \(round): it catches up") {
        try look() == 500 + round * 1000
      }
    }
    try worker.stop()
    let connection = try CountStoreFixture.connect(cluster.url())
    #expect(try Invariants.violations(connection, recount: fixture.recount) == [])
    #expect(try connection.execute("SELECT count(*) FROM dead_letter").int64(0, 0) == 0)
  }

  @Test("a detection whose batch was rolled back is not remembered: it is counted when it comes again")
  func rollbackIsForgotten() async throws {
    try await IngestionFixture.with { fixture throws in
      try fixture.connection.run(
        script: """
          CREATE SEQUENCE tries;
          CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
              IF nextval('tries') <= 4 THEN RAISE EXCEPTION 'not yet' USING ERRCODE = '53100'; END IF;
              RETURN NULL;
            END $$;
          CREATE TRIGGER fail AFTER INSERT ON revision FOR EACH STATEMENT EXECUTE FUNCTION fail();
          """
      )
      try fixture.detectMany(0..<300)
      let worker = try fixture.drain()
      #expect(worker.retries.count == 4)
      #expect(try fixture.number("SELECT counted FROM ingest_offset") == 300)
      #expect(try fixture.number("SELECT duplicates FROM ingest_offset") == 0)
      #expect(try fixture.violations() == [])
    }
  }

  @Test("a batch that fails over and over is not tried without a pause, and no message becomes a dead letter")
  func backsOff() async throws {
    try await IngestionFixture.with { fixture throws in
      try fixture.connection.run(
        script: """
          CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = '53100'; END $$;
          CREATE TRIGGER full_disk AFTER INSERT ON revision FOR EACH STATEMENT EXECUTE FUNCTION full_disk();
          """
      )
      let worker = fixture.start(fixture.options())
      try fixture.detectMany(0..<300)
      try fixture.flush()
      try worker.wait("the batch has failed") { !worker.retries.isEmpty }
      let clock = ContinuousClock.now
      try worker.wait("it has failed six times", seen: { "\(worker.retries.count) failures" }) {
        worker.retries.count >= 6
      }
      // At least 25 + 50 + 100 + 200 + 400 ms, half of what is meant.
      #expect(ContinuousClock.now - clock > .milliseconds(700))
      try fixture.connection.run(script: "DROP TRIGGER full_disk ON revision")
      try worker.wait("it is counted") { try fixture.accounted() == 300 }
      try worker.stop()
      #expect(try fixture.violations() == [])
      #expect(try fixture.number("SELECT count(*) FROM dead_letter") == 0)
    }
  }

  @Test("two workers share the partitions, one of them leaves: all is counted once")
  func twoWorkers() async throws {
    try await IngestionFixture.with(partitions: 4) { fixture throws in
      let watch = InvariantWatch(url: fixture.url)
      let first = fixture.start(fixture.options())
      var sent: Int64 = 0
      func send(_ count: Int64) throws {
        try fixture.detectMany(sent..<sent + count)
        try fixture.flush()
        sent += count
      }
      try first.wait("it reads") { first.isReading }
      try send(2000)
      let second = fixture.start(fixture.options())
      try second.wait("it reads", within: .seconds(60)) {
        try send(50)
        return second.isReading
      }
      try send(2000)
      try first.stop()
      try send(2000)
      try second.wait("all is committed") { try fixture.accounted() == sent }
      try second.stop()
      #expect(try watch.stop() == [])
      #expect(try fixture.violations() == [])
    }
  }

  @Test("a group that changes while a full batch waits for PostgreSQL is not held up by it")
  func rebalanceDuringSlowCommit() async throws {
    try await IngestionFixture.with(partitions: 2) { fixture throws in
      var options = fixture.options()
      options.batchMessages = 20
      options.database.settings = [
        (name: "statement_timeout", value: "60s"), (name: "lock_timeout", value: "60s"),
      ]
      let worker = fixture.start(options)
      try worker.wait("it reads") { worker.isReading }
      // Holds the commit up at its last lock, while nothing stands in a claim's way.
      let holder = try CountStoreFixture.connect(fixture.url)
      try holder.begin()
      _ = try holder.execute("SELECT pg_advisory_xact_lock(\(0x746f_7069_0002 as Int64))")
      try fixture.detectMany(0..<500)
      try fixture.flush()
      try waitUntil("the commit waits") {
        try fixture.number(
          "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"
        ) == 1
      }
      let second = fixture.start(fixture.options())
      try second.wait("it is given partitions") {
        second.observations.contains { if case .assigned(let keys) = $0 { !keys.isEmpty } else { false } }
      }
      try holder.commit()
      try worker.wait("all is committed", within: .seconds(60)) { try fixture.accounted() == 500 }
      try worker.stop()
      try second.stop()
      #expect(try fixture.violations() == [])
    }
  }

  @Test("a slow commit with a full batch behind it goes on where it was, without a rebalance")
  func slowCommit() async throws {
    try await IngestionFixture.with { fixture throws in
      var options = fixture.options()
      options.batchMessages = 20
      let worker = fixture.start(options)
      try worker.wait("it reads") { worker.isReading }
      let holder = try CountStoreFixture.connect(fixture.url)
      for round: Int64 in 0..<2 {
        try holder.begin()
        _ = try holder.execute("SELECT pg_advisory_xact_lock(\(0x746f_7069_0002 as Int64))")
        try fixture.detectMany(round * 500..<round * 500 + 500)
        try fixture.flush()
        // Longer than the worker waits before it pauses.
        Thread.sleep(forTimeInterval: 3)
        try holder.commit()
        try worker.wait("all is committed") {
          try fixture.accounted() == round * 500 + 500
        }
      }
      try worker.stop()
      #expect(worker.retries.isEmpty)
      #expect(try fixture.violations() == [])
    }
  }

  @Test("a stored offset behind the end of the log halts that partition, which says why; the others go on")
  func topicAnew() async throws {
    try await IngestionFixture.with(partitions: 2) { fixture throws in
      try fixture.drain()
      try fixture.connection.run(script: "UPDATE ingest_offset SET next_offset = 5000 WHERE partition = 1")
      try fixture.detectMany(0..<100)
      try fixture.flush()
      let worker = fixture.start(fixture.options(drain: true))
      let error = try worker.error(within: 60)
      guard case .halted(let reason)? = error as? IngestionError else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(reason.contains("5000"))
      #expect(worker.haltReasons.count == 1)
      #expect(try fixture.number("SELECT next_offset FROM ingest_offset WHERE partition = 0") == 50)
      #expect(try fixture.number("SELECT next_offset FROM ingest_offset WHERE partition = 1") == 5000)
    }
  }

  @Test("a stop comes through within ten seconds, also while a commit waits for a lock")
  func stopWhileWaiting() async throws {
    try await IngestionFixture.with { fixture throws in
      let worker = fixture.start(fixture.options())
      try worker.wait("it reads") { worker.isReading }
      let holder = try CountStoreFixture.connect(fixture.url)
      try holder.begin()
      _ = try holder.execute("SELECT pg_advisory_xact_lock(\(0x746f_7069_0002 as Int64))")
      try fixture.detectMany(0..<10)
      try fixture.flush()
      try waitUntil("the commit waits") {
        try fixture.number(
          "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"
        ) == 1
      }
      let clock = ContinuousClock.now
      try worker.stop()
      #expect(ContinuousClock.now - clock < .seconds(10))
      try holder.commit()
      try fixture.drain()
      #expect(try fixture.violations() == [])
    }
  }

  @Test("a stop comes through while PostgreSQL cannot be reached at all")
  func stopWithoutDatabase() async throws {
    try await IngestionFixture.with { fixture throws in
      var options = fixture.options()
      options.database = ConnectionOptions(url: "postgresql://user@127.0.0.1:1/none")
      let worker = fixture.start(options)
      try worker.wait("it has tried") { worker.retries.count > 1 }
      let clock = ContinuousClock.now
      try worker.stop()
      #expect(ContinuousClock.now - clock < .seconds(10))
    }
  }

  @Test("a database without its tables ends the worker with the reason")
  func notMigrated() async throws {
    try await withTaskExecutorPreference(BlockingThreads.shared) { try endsWithoutTables() }
  }

  private func endsWithoutTables() throws {
    try TestDatabase.withDatabase { url throws in
      let fixture = try IngestionFixture(url: url, partitions: 1, migrate: false)
      let worker = fixture.start(fixture.options())
      let error = try worker.error(within: 60)
      guard case .database(let cause)? = error as? IngestionError else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(cause.sqlState == .undefinedTable)
    }
  }

  @Test("a dictionary of items that starts again with almost every batch gives every item its own count")
  func manyItems() async throws {
    try await IngestionFixture.with(partitions: 2) { fixture throws in
      for oid: Int64 in 0..<3000 {
        try fixture.detect(
          oid,
          item: "item \(oid % 1000) " + String(repeating: "x", count: 3000),
          partition: Int32(oid % 2)
        )
      }
      try fixture.drain { options in
        options.batchMessages = 300
        options.batchBytes = 65_536
      }
      #expect(try fixture.number("SELECT count(*) FROM item") == 1000)
      #expect(try fixture.violations() == [])
    }
  }
}
