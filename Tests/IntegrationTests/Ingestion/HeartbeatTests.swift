import CountStore
import Counting
import Foundation
import Ingestion
import Threading
import Postgres
import TestSupport
import Testing

@Suite("A worker's heartbeat and lag")
struct HeartbeatTests {
  private static func reading(_ fixture: IngestionFixture) throws -> WorkerReading {
    try CountStore(fixture.connection).workers()
  }

  private static func freshness(_ fixture: IngestionFixture) throws -> Freshness {
    let reading = try reading(fixture)
    return reading.freshness(at: reading.now)
  }

  @Test("it stores the worker's state at the start, while it runs and at the end")
  func row() async throws {
    try await IngestionFixture.with(partitions: 2) { fixture in
      #expect(try Self.freshness(fixture) == .stopped(since: nil))
      var options = fixture.options()
      options.version = "1.2.3"
      let worker = fixture.start(options)
      try worker.wait("a row with both partitions", within: .seconds(40)) {
        try Self.reading(fixture).workers.first?.partitions.count == 2
      }
      try fixture.detectMany(0..<100)
      try fixture.flush()
      try worker.wait("all is counted, and stored", within: .seconds(40)) {
        let row = try Self.reading(fixture).workers.first
        return try fixture.accounted() == 100 && row?.lag == 0 && row?.lastCommitAt != nil
      }
      let row = try #require(try Self.reading(fixture).workers.first)
      #expect(
        row.version == "1.2.3" && row.isBrokerReachable && row.behindSince == nil && row.stoppedAt == nil
      )
      #expect(row.lags == [0, 0] && row.startedAt < row.seenAt)
      #expect(try Self.freshness(fixture) == .live)
      try worker.stop()
      let last = try #require(try Self.reading(fixture).workers.first)
      #expect(last.stoppedAt == last.seenAt && last.id == row.id)
      #expect(try Self.freshness(fixture) == .stopped(since: last.seenAt))
      #expect(
        try fixture.number("SELECT count(*) FROM worker WHERE pid > 0 AND host <> ''") == 1
      )
      #expect(try fixture.violations() == [])
    }
  }

  @Test("rows of a day ago go, the newest one stays")
  func oldRows() throws {
    try CountStoreFixture.with { fixture in
      try fixture.connection.run(
        script: """
          INSERT INTO worker (id, started_at, seen_at, version, host, pid, topics, partitions, lags, broker_reachable)
          SELECT gen_random_uuid(), now() - n * interval '30 hours', now() - n * interval '30 hours', '', '', 1,
                 '{}', '{}', '{}', true FROM generate_series(1, 3) AS n
          """
      )
      #expect(try fixture.store.forgetOldWorkers() == 2)
      #expect(try fixture.store.workers().workers.count == 1)
      let identity = WorkerHeartbeat.Identity(
        id: String(repeating: "a", count: 32),
        version: "",
        host: "",
        pid: 1
      )
      _ = try fixture.store.heartbeat(identity, WorkerHeartbeat(age: 5))
      #expect(try fixture.store.forgetOldWorkers() == 1)
    }
  }

  @Test("while the maintenance session is held up and tables are vacuumed for 60 s, the state stays live")
  func maintenance() async throws {
    try await IngestionFixture.with { fixture in
      // An old revision that the maintenance session is to delete, and cannot while this row is locked.
      try fixture.connection.run(
        script: """
          INSERT INTO revision (revision, committed_at, locations)
          SELECT n, now() - interval '3 hours', '{}' FROM generate_series(1, 2) AS n
          """
      )
      let blocker = try CountStoreFixture.connect(fixture.url)
      try blocker.run(script: "BEGIN; SELECT FROM revision WHERE revision = 1 FOR UPDATE")
      var options = fixture.options()
      options.database.settings.append((name: "lock_timeout", value: "0"))
      let worker = fixture.start(options)
      try worker.wait("the maintenance session waits", within: .seconds(40)) {
        try fixture.number(
          """
          SELECT count(*) FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%DELETE FROM revision%'
          """
        ) > 0
      }
      let stopping = Flag()
      let url = fixture.url
      let vacuuming = Background {
        let connection = try CountStoreFixture.connect(url)
        while !stopping.isSet {
          try connection.run(script: "VACUUM (FULL, ANALYZE) detection, window_count_hour, item")
        }
      }
      var states: [Freshness] = []
      var oid: Int64 = 0
      try worker.wait("live once", within: .seconds(30)) {
        oid += 1
        try fixture.detect(oid)
        return try Self.freshness(fixture) == .live
      }
      let end = ContinuousClock.now + .seconds(60)
      try worker.wait("60 s have passed", within: .seconds(90)) {
        oid += 1
        try fixture.detect(oid)
        let state = try Self.freshness(fixture)
        if state != .live { states.append(state) }
        Thread.sleep(forTimeInterval: 0.2)
        return ContinuousClock.now >= end
      }
      #expect(states.isEmpty, "\(states)")
      stopping.set()
      _ = try vacuuming.value(within: 60)
      try blocker.run(script: "COMMIT")
      try fixture.flush()
      try worker.stop()
      try fixture.drain()
      #expect(try fixture.violations() == [])
    }
  }

  @Test("the lag follows the broker while PostgreSQL takes no batch, and its age says so")
  func lagDuringOutage() async throws {
    try await IngestionFixture.with { fixture in
      let worker = fixture.start(fixture.options())
      try fixture.detectMany(0..<10)
      try fixture.flush()
      try worker.wait("all is counted", within: .seconds(40)) { try fixture.accounted() == 10 }
      let blocker = try CountStoreFixture.connect(fixture.url)
      try blocker.run(script: "BEGIN; LOCK TABLE ingest_offset IN ACCESS EXCLUSIVE MODE")
      // One after another, as the broker returns only where the last batch of messages begins.
      for oid in Int64(10)..<210 {
        try fixture.detect(oid)
        if oid % 20 == 0 { try fixture.flush() }
      }
      try fixture.flush()
      try worker.wait("a batch has failed, so that all partitions are paused", within: .seconds(40)) {
        !worker.retries.isEmpty
      }
      for oid in Int64(210)..<410 {
        try fixture.detect(oid)
        if oid % 20 == 0 { try fixture.flush() }
      }
      try fixture.flush()
      try worker.wait("the lag is stored", within: .seconds(40)) {
        guard let lag = worker.turn?.partitions.first?.lag else { return false }
        return (lag.lag(at: .now) ?? 0) >= 380 && lag.unreadSince != nil
      }
      try blocker.run(script: "COMMIT")
      try worker.wait("all is counted, and stored", within: .seconds(60)) {
        try fixture.accounted() == 410 && worker.turn?.partitions.first?.lag?.lag(at: .now) == 0
      }
      try worker.stop()
      #expect(try fixture.violations() == [])
    }
  }
}
