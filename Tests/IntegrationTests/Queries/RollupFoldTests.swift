@testable import CountStore
import Counting
import Postgres
import TestSupport
import Testing

@Suite("rollups: levels are folded while counts go on")
struct RollupFoldTests {
  private typealias F = RollupFixture

  /// One random walk over everything that can happen, in any order: batches (also far in the past), folds that begin,
  /// go on, end or are given up, of any level; after each step, answers equal the naive count.
  @Test("answers equal a recount at every step of every fold", arguments: [1, 2, 3] as [UInt64])
  func randomWalk(seed: UInt64) throws {
    try F.with(horizonDays: 120) { fixture throws in
      var random = SeededGenerator(seed: seed)
      let end = try fixture.today()
      let start = end - 95 * F.day
      var fold: Fold?
      try fixture.count((1...3).map { (Int64($0), "item 1", end - F.day) })
      var isSummed = false
      for step in 0..<220 {
        switch Int.random(in: 0..<10, using: &random) {
        case 0...3:
          try fixture.count(
            (0..<Int.random(in: 1...30, using: &random)).map { _ in
              // Mostly close together, so that units have several items and late events meet rows that are there.
              let day = Int64.random(in: 0..<12, using: &random) * 8
              let at = start + day * F.day + Int64.random(in: 0..<3 * F.hour, using: &random)
              return (
                Int64.random(in: 1...3, using: &random), "item \(Int.random(in: 1...4, using: &random))", at
              )
            }
          )
        case 4...8:
          if fold == nil {
            let level = RollupLevel.allCases.randomElement(using: &random) ?? .hour
            let until = Int64.random(in: start...end, using: &random)
            fold = try Fold(fixture.store, level, until: .agreed(until))
            isSummed = false
          } else if !isSummed {
            isSummed = try fold?.sumChunk() == false
          } else {
            if Bool.random(using: &random) { try fold?.takeInChanges() }
            if try fold?.finish() == true { fold = nil }
          }
        default:
          // Given up, as by a crash: the next fold of the level finds its leftovers.
          if Int.random(in: 0..<4, using: &random) == 0 { fold = nil }
        }
        let (a, b) = (
          Int64.random(in: start...end, using: &random), Int64.random(in: start...end, using: &random)
        )
        try fixture.compare(
          .between(Timestamp(microseconds: min(a, b)), Timestamp(microseconds: max(a, b))),
          location: step % 2 == 0 ? nil : Int64.random(in: 1...3, using: &random),
          "seed \(seed), step \(step)"
        )
      }
      try fixture.foldAll(until: end)
      for level in RollupLevel.allCases { #expect(try fixture.wrongRows(level) == 0, "\(level)") }
      #expect(try fixture.base.number("SELECT count(*) FROM rollup_change") == 0)
      try fixture.compare(.between(nil, nil), location: nil)
    }
  }

  @Test("a late event below the marks is counted at every level at once; one of the present at none")
  func lateEvents() throws {
    try F.with(horizonDays: 100) { fixture throws in
      let today = try fixture.today()
      let old = today - 80 * F.day
      try fixture.count([(1, "a", old), (2, "b", today + 1)])
      try fixture.foldAll(until: today)
      try fixture.count([
        (1, "a", old + 5), (1, "late", old + F.day), (3, "new place", old), (1, "a", today + 2),
      ])
      for level in RollupLevel.allCases { #expect(try fixture.wrongRows(level) == 0, "\(level)") }
      #expect(try fixture.base.number("SELECT count(*) FROM window_count_month") == 3)
      #expect(
        try fixture.base.number("SELECT max(item_count) FROM window_count_hour WHERE window_start < now()")
          == 2
      )
      #expect(
        try fixture.base.number(
          "SELECT count(*) FROM window_count_day WHERE window_start >= \(timestamp: today)"
        ) == 0
      )
      try fixture.compare(.between(nil, nil), location: nil)
    }
  }

  @Test("writers of late events and folds of all levels at the same time lose nothing and repeat nothing")
  func concurrent() throws {
    try TestDatabase.withDatabase { url in
      let fixture = try F(url: url, horizonDays: 60)
      let today = try fixture.today()
      let isDone = Flag()
      let writers = (1...2).map { writer in
        Background {
          let own = try CountStoreFixture(url: url)
          var random = SeededGenerator(seed: UInt64(writer))
          var claim = try #require(try own.claim(Int32(writer)))
          var seen: [CountStoreFixture.Seen] = []
          var number: Int64 = 0
          while !isDone.isSet || number < 5 {
            number += 1
            let batch = (0..<40).map { index in
              CountStoreFixture.Seen(
                oid: Int64(writer) << 40 | number << 10 | Int64(index),
                location: .random(in: 1...5, using: &random),
                item: "item \(Int.random(in: 1...5, using: &random))",
                at: today - own.origin - .random(in: 1...40 * F.day, using: &random)
              )
            }
            let sealed = own.batch(claim, batch)
            let outcome = try own.apply(sealed)
            guard outcome.isCommitted else { throw TestSupportError("\(outcome)") }
            claim = own.after(sealed)
            seen += batch
          }
          return seen.count
        }
      }
      defer { isDone.set() }
      for days in stride(from: Int64(39), through: 0, by: -13) {
        try fixture.foldAll(until: today - days * F.day)
      }
      isDone.set()
      let counted = try writers.reduce(0) { try $0 + $1.value() }
      for level in RollupLevel.allCases { #expect(try fixture.wrongRows(level) == 0, "\(level)") }
      #expect(try fixture.base.number("SELECT sum(item_count)::bigint FROM window_count") == Int64(counted))
      #expect(try fixture.mark(.hour) == today)
      #expect(try fixture.base.violations() == [])
    }
  }

  @Test("a batch in flight when a fold is announced is waited for, and its counts are in the sums")
  func batchInFlight() throws {
    try F.with { fixture throws in
      let today = try fixture.today()
      try fixture.count([(1, "a", today - 2 * F.day)])
      let batch = try CountStoreFixture.connect(fixture.base.url)
      try batch.begin()
      _ = try batch.execute(CountStore.boundsLock)
      let url = fixture.base.url
      let fold = Background {
        let store = CountStore(try CountStoreFixture.connect(url))
        return try store.fold(.hour, until: .agreed(today)) != nil
      }
      // The fold waits, and gives up rather than hold up other batches for long.
      do {
        _ = try fold.value()
        Issue.record("the fold did not wait")
      } catch {
        #expect((error as? PostgresError)?.sqlState == .lockNotAvailable)
      }
      try batch.run(script: "UPDATE window_count SET item_count = 7")
      try batch.commit()
      #expect(try fixture.store.fold(.hour, until: .agreed(today))?.rows == 1)
      #expect(try fixture.wrongRows(.hour) == 0)
    }
  }

  @Test("many changes at the end of a fold are taken in before the batches are held up")
  func manyChanges() throws {
    try F.with { fixture throws in
      let today = try fixture.today()
      let yesterday = today - F.day
      try fixture.count([(1, "a", yesterday)])
      var fold = try #require(try Fold(fixture.store, .hour, until: .agreed(today)))
      while try fold.sumChunk() {}
      for first in stride(from: 0, to: 6000, by: 2000) {
        try fixture.count((first..<first + 2000).map { (Int64($0), "a", yesterday + Int64($0)) })
      }
      #expect(try fold.finish() == false)
      #expect(try fixture.mark(.hour) < yesterday)
      #expect(try fold.takeInChanges() == 6000)
      #expect(try fold.finish())
      #expect(try fixture.mark(.hour) == today)
      #expect(try fixture.wrongRows(.hour) == 0)
    }
  }

  @Test("hours, days and months are UTC's: midnight, leap days, year ends and the clock changes of others")
  func calendar() throws {
    try F.with(horizonDays: 4000) { fixture throws in
      let texts = [
        "2023-12-31T23:59:59.999999Z", "2024-01-01T00:00:00Z", "2024-02-28T23:59:00Z", "2024-02-29T00:00:00Z",
        "2024-02-29T23:59:59Z", "2024-03-01T00:00:00Z", "2024-03-31T00:59:59Z", "2024-03-31T01:00:00Z",
        "2024-10-27T00:30:00Z", "2024-10-27T01:30:00Z", "2025-02-28T23:59:59Z", "2025-03-01T00:00:00Z",
      ]
      let times = try texts.map { try #require(Timestamp(rfc3339: $0)).microseconds }
      try fixture.count(times.map { (1, "a", $0) })
      // The session's time zone must not matter, only UTC's units.
      try fixture.connection.run(script: "SET TimeZone = 'Pacific/Chatham'")
      try fixture.foldAll(until: try #require(Timestamp(rfc3339: "2025-06-15T12:00:00Z")).microseconds)
      try fixture.connection.run(script: "SET TimeZone = 'UTC'")
      let months = try fixture.connection.execute(
        "SELECT to_char(window_start, 'YYYY-MM-DD HH24:MI'), item_count FROM window_count_month ORDER BY 1"
      )
      let stored = try (0..<months.count).map { "\(try months.string($0, 0)) \(try months.int64($0, 1))" }
      #expect(
        stored == [
          "2023-12-01 00:00 1", "2024-01-01 00:00 1", "2024-02-01 00:00 3", "2024-03-01 00:00 3",
          "2024-10-01 00:00 2", "2025-02-01 00:00 1", "2025-03-01 00:00 1",
        ]
      )
      for level in RollupLevel.allCases { #expect(try fixture.wrongRows(level) == 0, "\(level)") }
      for a in times {
        for b in times where a < b {
          try fixture.compare(.between(Timestamp(microseconds: a), Timestamp(microseconds: b)), location: 1)
        }
      }
    }
  }

  @Test("only one session folds, drops and purges at a time")
  func oneAtATime() throws {
    try F.with { fixture throws in
      let other = try CountStoreFixture.connect(fixture.base.url)
      #expect(try CountStore(other).lockMaintenance())
      var retention = Retention(RetentionPolicy())
      #expect(try retention.run(on: fixture.connection, at: fixture.now()).isBusyElsewhere)
      try CountStore(other).unlockMaintenance()
      #expect(try retention.run(on: fixture.connection, at: fixture.now()).isBusyElsewhere == false)
      // What it held, it gave back.
      #expect(try CountStore(other).lockMaintenance())
    }
  }
}
