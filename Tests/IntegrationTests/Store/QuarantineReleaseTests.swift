import CountStore
import Counting
import Postgres
import TestSupport
import Testing

@Suite("quarantined events that are released")
struct QuarantineReleaseTests {
  typealias Sent = CountStoreFixture.Sent
  typealias Seen = CountStoreFixture.Seen

  private static let day: Int64 = 86_400_000_000

  @Test(
    "a future event stays until its time has come, and then counts exactly once, however often it is released"
  )
  func due() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      // Some are due: they were quarantined when their time was still ahead.
      let sent = [
        Sent(oid: 1, at: 1), Sent(oid: 2, at: 61_000_000), Sent(oid: 3, at: Self.day),
        Sent(oid: 1, item: "x"),
      ]
      try fixture.quarantine(sent, .future, claim)
      let url = fixture.url
      let workers = (0..<4).map { _ in
        Background { () -> ReleaseReport in
          let other = try CountStoreFixture(url: url)
          var report = try other.store.releaseDueQuarantine(
            at: AgreedTime.current(other.connection),
            limit: 100
          )
          report += try other.store.releaseDueQuarantine(at: AgreedTime.current(other.connection), limit: 100)
          return report
        }
      }
      var fates = FateCounts()
      for worker in workers { fates += try worker.value().readmitted.fates }
      #expect(fates.counted == 2 && fates.duplicate == 1 && fates.total == 3)
      #expect(try fixture.violations() == [])
      let all = try fixture.fates()
      #expect(all.future == 1 && all.counted == 2 && all.duplicate == 1)
      #expect(try fixture.store.quarantinedEvents(QuarantineFilter(), limit: 9).map(\.oid) == [3])
      #expect(
        try fixture.store.releaseDueQuarantine(at: AgreedTime.current(fixture.connection), limit: 100)
          .examined == 0
      )
      // Nothing else was accepted in this partition.
      #expect(try fixture.store.status().watermark?.microseconds == fixture.origin + 61_000_000)
    }
  }

  @Test("what is released does not move the watermark, as older events may still be read")
  func watermark() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      let next = try fixture.quarantine([Sent(oid: 1, at: 3_600_000_000)], .future, claim)
      _ = try fixture.apply(fixture.batch(next, [Seen(oid: 2, at: 5)]))
      #expect(
        try fixture.store.releaseDueQuarantine(at: AgreedTime.current(fixture.connection), limit: 100)
          .readmitted.fates.counted == 1
      )
      #expect(try fixture.store.status().watermark?.microseconds == fixture.origin + 5)
      #expect(try fixture.violations([Seen(oid: 1, at: 3_600_000_000), Seen(oid: 2, at: 5)]) == [])
    }
  }

  @Test("one that waited until the floor had passed it is late")
  func waitedTooLong() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      try fixture.quarantine([Sent(oid: 1), Sent(oid: 2, at: 100)], .future, claim)
      try fixture.setFloor(fixture.origin + 50)
      let report = try fixture.store.releaseDueQuarantine(
        at: AgreedTime.current(fixture.connection),
        limit: 100
      )
      #expect(report.readmitted.fates.late == 1 && report.readmitted.fates.counted == 1)
      let all = try fixture.fates()
      #expect(all.late == 1 && all.future == 0 && all.counted == 1)
      #expect(try fixture.violations([Seen(oid: 2, at: 100)]) == [])
      #expect(
        try fixture.store.releaseDueQuarantine(at: AgreedTime.current(fixture.connection), limit: 100)
          .examined == 0
      )
    }
  }

  @Test(
    "a late event is released only when asked for, and only if no key of its time was purged, unless forced"
  )
  func late() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      let first = fixture.batch(claim, [Seen(oid: 1)])
      #expect(try fixture.apply(first).isCommitted)
      try fixture.setFloor(fixture.origin + Self.day)
      let sent = [Sent(oid: 1), Sent(oid: 2), Sent(oid: 3, at: 7)]
      try fixture.quarantine(sent, .late, fixture.after(first))
      #expect(try fixture.release().examined == 0)

      // The newest purged key has exactly that time: an event of that time is uncertain, one above it is not.
      try fixture.setPurgedUntil(fixture.origin + 7)
      let uncertain = try fixture.release(late: .certain)
      #expect(uncertain.uncertain == 3 && uncertain.readmitted == ReadmissionReport())
      #expect(try fixture.fates().late == 3)
      try fixture.setPurgedUntil(fixture.origin + 6)
      #expect(try fixture.release(late: .certain).readmitted.fates.counted == 1)

      // Nothing was ever purged: all are certain, as the unique constraint knows every detection.
      try fixture.setPurgedUntil(nil)
      var filter = QuarantineFilter()
      filter.until = Timestamp(microseconds: fixture.origin + 1)
      let certain = try fixture.release(filter, late: .certain)
      #expect(certain.readmitted.fates.counted == 1 && certain.readmitted.fates.duplicate == 1)
      #expect(try fixture.fates().late == 0)
      #expect(try fixture.violations([Seen(oid: 1), Seen(oid: 2), Seen(oid: 3, at: 7)]) == [])
    }
  }

  @Test("a late event that may have been counted before is released by force")
  func forced() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      try fixture.setFloor(fixture.origin + Self.day)
      try fixture.setPurgedUntil(fixture.origin + Self.day)
      try fixture.quarantine([Sent(oid: 2), Sent(oid: 2)], .late, claim)
      #expect(try fixture.release(late: .certain).uncertain == 2)
      let forced = try fixture.release(late: .forced)
      #expect(forced.readmitted.fates.counted == 1 && forced.readmitted.fates.duplicate == 1)
      #expect(try fixture.violations([Seen(oid: 2)]) == [])
    }
  }

  @Test("releasing beside ingestion of the same detections counts each once")
  func besideIngestion() throws {
    try CountStoreFixture.with { fixture throws in
      let sent = (0..<600).map { Sent(oid: Int64($0), location: Int64($0 % 3), camera: Int64($0 % 9)) }
      try fixture.quarantine(sent.shuffled(), .future, try #require(try fixture.claim(0)))
      var claim = try #require(try fixture.claim(1))
      let url = fixture.url
      let release = Background { try CountStoreFixture(url: url).release() }
      for start in stride(from: 0, to: 600, by: 50) {
        let batch = fixture.batch(claim, sent[start..<start + 50].map(\.seen))
        #expect(try fixture.apply(batch).isCommitted)
        claim = fixture.after(batch)
      }
      #expect(try release.value().readmitted.fates.total == 600)
      let all = try fixture.fates()
      #expect(all.counted == 600 && all.duplicate == 600 && all.future == 0)
      #expect(try fixture.violations(sent.map(\.seen)) == [])
    }
  }

  @Test("the list can be asked for a reason and for times, in pages")
  func list() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      let names = ["\u{1B}[2J", "'; DROP TABLE quarantine; --", "e\u{301}"]
      let after = try fixture.quarantine(
        names.enumerated().map { Sent(oid: Int64($0), item: $1, at: Int64($0)) },
        .future,
        claim
      )
      try fixture.quarantine([Sent(oid: 9, at: -8 * Self.day)], .late, after)
      func listed(_ change: (inout QuarantineFilter) -> Void) throws -> [Int64] {
        var filter = QuarantineFilter()
        change(&filter)
        return try fixture.store.quarantinedEvents(filter, limit: 100).map(\.oid)
      }
      #expect(try listed { _ in } == [0, 1, 2, 9])
      #expect(try listed { $0.reason = .late } == [9])
      #expect(try listed { $0.reason = .future } == [0, 1, 2])
      #expect(try listed { $0.since = Timestamp(microseconds: fixture.origin + 1) } == [1, 2])
      #expect(try listed { $0.until = Timestamp(microseconds: fixture.origin + 1) } == [0, 9])
      #expect(try listed { ($0.topic, $0.partition) = ("events", 1) } == [])
      let all = try fixture.store.quarantinedEvents(QuarantineFilter(), limit: 2)
      #expect(all.map(\.itemName) == Array(names.prefix(2)))
      #expect(
        try fixture.store.quarantinedEvents(QuarantineFilter(), after: all.last?.position, limit: 9).map(
          \.oid
        )
          == [2, 9]
      )
    }
  }
}
