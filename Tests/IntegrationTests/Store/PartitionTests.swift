@testable import CountStore
import Counting
import Postgres
import TestSupport
import Testing

@Suite("partitions are made ahead and dropped behind, and nothing waits for it")
struct PartitionTests {
  private typealias F = RollupFixture

  private func partitions(_ fixture: CountStoreFixture, of table: String) throws -> Int64 {
    try fixture.number("SELECT count(*) FROM pg_inherits WHERE inhparent = \(table)::regclass")
  }

  @Test("workers that make the same partitions at once all succeed, and make each once")
  func racing() throws {
    try TestDatabase.withDatabase { url in
      let fixture = try CountStoreFixture(url: url)
      let workers = (0..<4).map { _ in
        Background { try CountStore(try CountStoreFixture.connect(url)).ensurePartitions() }
      }
      let ends = try workers.map { try $0.value() }
      #expect(Set(ends).count == 1)
      #expect(try partitions(fixture, of: "window_count") == 15)  // 7 days back, today, 7 ahead
      let later = Timestamp(microseconds: ends[0].microseconds + 40 * F.day)
      #expect(try fixture.store.ensurePartitions(through: later) > later)
      #expect(try partitions(fixture, of: "window_count") == 63)
    }
  }

  @Test(
    "an absurd horizon makes no more than a partition for each of 400 days, and old events count all the same"
  )
  func absurdHorizon() throws {
    try F.with(horizonDays: 1000 * 366) { fixture throws in
      #expect(try partitions(fixture.base, of: "window_count") <= 400 + 10)
      #expect(try partitions(fixture.base, of: "window_count_hour") <= 14 + 3)
      let old = try #require(Timestamp(rfc3339: "1100-02-03T04:05:06Z")).microseconds
      let today = try fixture.today()
      try fixture.count([
        (1, "a", old), (1, "a", today - 399 * F.day), (1, "a", today - 402 * F.day), (1, "a", today),
      ])
      try fixture.foldAll(until: today)
      for level in RollupLevel.allCases { #expect(try fixture.wrongRows(level) == 0, "\(level)") }
      try fixture.compare(.between(nil, nil), location: 1)
      try fixture.compare(
        .between(Timestamp(microseconds: old), Timestamp(microseconds: old + 1)),
        location: 1
      )
      #expect(try fixture.store.ensurePartitions().microseconds > today)

      // With a horizon that is not, the past goes as any partition does.
      var policy = RetentionPolicy()
      policy.hours = 30 * 86_400
      var retention = Retention(policy)
      let report = try retention.run(on: fixture.connection, at: fixture.now())
      #expect(report.droppedPartitions.contains("window_count_past"))
      #expect(report.droppedPartitions.contains("window_count_hour_past"))
      #expect(try partitions(fixture.base, of: "window_count") <= 18)
      try fixture.compare(.between(nil, nil), location: 1)
    }
  }

  @Test("a batch whose time is not covered yet gets its partitions first, and a gap in the past is filled")
  func gaps() throws {
    try F.with(horizonDays: 20) { fixture throws in
      let today = try fixture.today()
      let name = try fixture.connection.execute(
        "SELECT to_char(\(timestamp: today - 5 * F.day), 'YYYYMMDD')"
      ).string(0, 0)
      try fixture.connection.run(script: "DROP TABLE window_count_\(name)")
      try fixture.store.ensurePartitions(thoroughly: true)
      try fixture.count([(1, "a", today - 5 * F.day)])
      try fixture.compare(.between(nil, nil), location: 1)
    }
  }

  @Test(
    "while a long reader holds a partition up, batches and answers go on; the next run completes the drop"
  )
  func longReader() throws {
    try F.with(horizonDays: 10) { fixture throws in
      let today = try fixture.today()
      try fixture.count([(1, "a", today - 9 * F.day), (1, "a", today - 1)])
      let reader = try CountStoreFixture.connect(fixture.base.url)
      try reader.begin(isolation: .repeatableRead)
      #expect(try reader.execute("SELECT count(*) FROM window_count").int64(0, 0) == 2)

      let url = fixture.base.url
      let dropping = Background { () -> String? in
        var policy = RetentionPolicy()
        policy.minutes = 2 * 86_400
        policy.dedupHorizon = 2 * 86_400
        var retention = Retention(policy)
        do {
          let connection = try CountStoreFixture.connect(url)
          _ = try retention.run(on: connection, at: AgreedTime.current(connection))
          return nil
        } catch {
          return (error as? PostgresError)?.sqlState?.rawValue
        }
      }
      var longest: Duration = .zero
      while !dropping.isDone {
        let began = ContinuousClock.now
        try fixture.count([(1, "a", today - 1)])
        try fixture.compare(.between(nil, nil), location: 1)
        longest = max(longest, began.duration(to: .now))
      }
      #expect(try dropping.value() == "55P03")
      #expect(longest < .seconds(3))
      let pending = "SELECT count(*) FROM pg_inherits WHERE inhdetachpending" as Query
      #expect(try fixture.base.number(pending) == 1)
      // The reader still sees what it saw.
      #expect(try reader.execute("SELECT count(*) FROM window_count").int64(0, 0) == 2)
      reader.rollback()

      var retention = Retention(RetentionPolicy())
      #expect(try retention.run(on: fixture.connection, at: fixture.now()).droppedPartitions.count >= 7)
      #expect(try fixture.base.number(pending) == 0)
      #expect(try fixture.base.number("SELECT count(*) FROM retired_partition") == 0)
      try fixture.compare(.between(nil, nil), location: 1)
    }
  }
}
