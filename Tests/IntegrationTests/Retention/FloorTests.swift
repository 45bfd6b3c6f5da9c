import Counting
import Postgres
import TestSupport
import Testing

@testable import CountStore

@Suite("the deduplication floor, and the way back from one that is too high")
struct FloorTests {
  private typealias F = RollupFixture
  private typealias Seen = CountStoreFixture.Seen

  /// What a release that believed the database's clock did in one run of retention while that was 40 days ahead.
  private func runAhead(_ fixture: F, days: Int64 = 40) throws -> RetentionReport {
    var retention = Retention(RetentionPolicy())
    let now = try fixture.now().time.microseconds
    return try retention.run(on: fixture.connection, at: .agreed(now + days * F.day))
  }

  private func set(
    _ floor: Int64,
    _ fixture: F,
    acceptsDuplicates: Bool = false,
    reason: String? = nil
  ) throws -> FloorOutcome {
    try fixture.store.setFloor(
      Timestamp(microseconds: floor),
      acceptsDuplicates: acceptsDuplicates,
      operator: "tester",
      reason: reason
    )
  }

  /// Some detections of each of the last days, and of this minute.
  private func fill(_ fixture: F, days: Int64 = 6) throws {
    let now = try fixture.now().time.microseconds
    var seen: [(location: Int64, item: String, at: Int64)] = []
    for at in stride(from: now - days * F.day, through: now, by: Int(3 * F.hour + 7 * F.minute)) {
      seen.append((location: at / F.minute % 2 + 1, item: "item \(at / F.minute % 3)", at: at))
    }
    seen.append((location: 1, item: "now", at: now))
    try fixture.count(seen)
  }

  /// All, the hour, the day and the month of the present, and ranges that begin and end anywhere.
  private func compareEverything(
    _ fixture: F,
    seed: UInt64,
    _ comment: String,
    views: [String] = ["hour", "day"]
  ) throws {
    let now = try fixture.now().time.microseconds
    try fixture.compare(.between(nil, nil), location: nil, comment)
    for span in [F.minute, F.hour, F.day, 31 * F.day] {
      let start = Timestamp(microseconds: now - span)
      try fixture.compare(.between(start, Timestamp(microseconds: now + F.minute)), location: nil, comment)
      try fixture.compare(.between(start, nil), location: 1, comment)
    }
    var random = SeededGenerator(seed: seed)
    for _ in 0..<25 {
      let a = now + F.day - .random(in: 0...9 * F.day, using: &random)
      let b = a + .random(in: 1...3 * F.day, using: &random)
      try fixture.compare(
        .between(Timestamp(microseconds: a), Timestamp(microseconds: b)),
        location: Bool.random(using: &random) ? 2 : nil,
        comment
      )
    }
    for unit in views {
      let view = "top_items_by_\(unit)"
      #expect(
        try fixture.base.number("SELECT sum(item_count)::bigint FROM bi.\(unescaped: view)")
          == Int64(fixture.truth.count),
        "\(comment), \(view)"
      )
    }
  }

  @Test(
    "after a clock that was 40 days ahead, new events count at once, and every response equals the recount"
  )
  func afterFastClock() throws {
    try F.with(horizonDays: 7) { fixture throws in
      try fill(fixture)
      let newest = try fixture.connection.execute("SELECT max(detected_at) FROM detection").timestamp(0, 0)
      let report = try runAhead(fixture)
      #expect(report.floor != nil && report.droppedPartitions.count > 10)
      #expect(report.purgedDetections == fixture.truth.count)
      let now = try fixture.now().time.microseconds
      #expect(throws: TestSupportError.self, "every event is late") { try fixture.count([(1, "late", now)]) }
      try compareEverything(fixture, seed: 1, "while the floor is too high")

      let lowest = try #require(try fixture.store.floorState()?.lowestCertain)
      #expect(lowest.microseconds == newest + 1)
      guard case .changed(let change) = try set(lowest.microseconds, fixture) else {
        Issue.record("the floor stays")
        return
      }
      #expect(change.missingKeys == 0 && change.changedBy == "tester")
      try compareEverything(fixture, seed: 2, "after the floor was moved down")
      try fixture.count([(1, "now", now), (2, "now", lowest.microseconds), (2, "ahead", now + 4 * F.minute)])
      try compareEverything(fixture, seed: 3, "with new events")
      // And from then on, retention works as ever.
      for step in UInt64(0)..<3 {
        var retention = Retention(RetentionPolicy())
        _ = try retention.run(on: fixture.connection, at: fixture.now())
        try fixture.count([(1, "more", now + Int64(step) * F.minute), (2, "more", now)])
        try compareEverything(fixture, seed: 4 + step, "with retention")
      }
    }
  }

  @Test(
    "after a real purge, purged detections that come again are refused up to the newest purged one, and known above it"
  )
  func afterPurge() throws {
    try F.with(horizonDays: 7) { fixture throws in
      try fill(fixture)
      // As if all had arrived when they were detected: a purge 40 days ahead deletes each key.
      try fixture.connection.run(script: "UPDATE detection SET ingested_at = detected_at")
      let oldest = try fixture.now().time.microseconds - 3 * F.day
      let newestPurged = try fixture.connection.execute(
        "SELECT max(detected_at) FROM detection WHERE detected_at < \(timestamp: oldest)"
      ).timestamp(0, 0)
      let counted = try fixture.base.number("SELECT count(*) FROM detection")
      // At 4 days ahead, the horizon is 3 days ago.
      let report = try runAhead(fixture, days: 4)
      #expect(report.purgedDetections > 0)
      let left = try fixture.base.number("SELECT count(*) FROM detection")
      #expect(left == counted - Int64(report.purgedDetections))
      let state = try #require(try fixture.store.floorState())
      #expect(state.purgedUntil?.microseconds == newestPurged)
      #expect(state.lowestCertain?.microseconds == newestPurged + 1)

      // Too low: it would count again what was purged.
      guard case .refused(.belowPurged(let until, let missing)) = try set(newestPurged, fixture) else {
        Issue.record("the floor went below what was purged")
        return
      }
      #expect(until.microseconds == newestPurged && missing > 0)
      guard case .changed = try set(newestPurged + 1, fixture) else {
        Issue.record("the floor stays")
        return
      }
      // Every detection again, as a camera resends it.
      let times = fixture.truth.count
      let detections = try fixture.connection.execute(
        "SELECT detection_oid, detected_at FROM detection ORDER BY 1"
      )
      var known: [Seen] = []
      for row in 0..<detections.count {
        let at = try detections.timestamp(row, 1) - fixture.base.origin
        known.append(Seen(oid: try detections.int64(row, 0), at: at))
      }
      let claim = try #require(try fixture.base.claim(9))
      let outcome = try fixture.base.apply(fixture.base.batch(claim, known))
      #expect(outcome.committedParts?.first?.fates.duplicate == known.count)
      // One whose key is gone has a time below the floor: late, not counted.
      let gone = [Seen(oid: 1, at: newestPurged - fixture.base.origin)]
      let late = try fixture.base.apply(
        fixture.base.batch(fixture.base.after(fixture.base.batch(claim, known)), gone)
      )
      guard case .floorMoved = late else {
        Issue.record("a purged detection counts again")
        return
      }
      #expect(fixture.truth.count == times)
      try compareEverything(fixture, seed: 5, "after resends")
    }
  }

  @Test(
    "going below what was purged needs the operator's word, shows how many keys are missing, and is recorded"
  )
  func acceptingDuplicates() throws {
    try F.with(horizonDays: 7) { fixture throws in
      try fill(fixture)
      try fixture.connection.run(script: "UPDATE detection SET ingested_at = detected_at")
      let report = try runAhead(fixture)
      let counted = Int64(fixture.truth.count)
      #expect(Int64(report.purgedDetections) == counted)
      let now = try fixture.now().time.microseconds
      guard
        case .changed(let change) = try set(
          now - 10 * F.day,
          fixture,
          acceptsDuplicates: true,
          reason: "drill"
        )
      else {
        Issue.record("the floor stays")
        return
      }
      #expect(change.missingKeys == counted && change.acceptsDuplicates && change.reason == "drill")
      let state = try #require(try fixture.store.floorState())
      #expect(state.changes == [change])
      #expect(state.floor.microseconds == now - 10 * F.day)
      #expect(state.purgedUntil != nil, "what is gone stays known")
      try fixture.count([(1, "new", now - 5 * F.day), (2, "new", now)])
      try compareEverything(fixture, seed: 6, "duplicates accepted")
      guard case .refused(.notBelow) = try set(now, fixture) else {
        Issue.record("the command raised the floor")
        return
      }
    }
  }

  @Test("marks and kept times go back to the newest rows, and never below them")
  func marks() throws {
    try F.with(horizonDays: 7) { fixture throws in
      try fill(fixture)
      _ = try runAhead(fixture, days: 800)
      let before = try #require(try fixture.store.floorState())
      let now = try fixture.now().time.microseconds
      guard case .changed = try set(now - 7 * F.day, fixture, acceptsDuplicates: true, reason: "test") else {
        Issue.record("the floor stays")
        return
      }
      let after = try #require(try fixture.store.floorState())
      let newest = try #require(fixture.truth.map(\.window).max())
      let endOfHour = Timestamp(microseconds: newest.floored(to: F.hour) + F.hour)
      for (old, new) in zip(before.levels, after.levels) {
        #expect(new.keptFrom <= old.keptFrom, "\(new.name)")
        if let until = new.foldedUntil, let oldUntil = old.foldedUntil {
          #expect(until <= oldUntil && until >= endOfHour, "\(new.name)")
        }
      }
      let untils = after.levels.compactMap(\.foldedUntil)
      #expect(untils == untils.sorted(by: >), "hour, day, month")
      // Minutes and hours of what was dropped are gone; what comes now is kept by the minute.
      #expect(after.levels[0].keptFrom.microseconds <= now.floored(to: F.day) + F.day)
      #expect(after.levels[1].keptFrom.microseconds <= now.floored(to: F.day) + F.day)
      try fixture.count([(1, "now", now), (1, "next", now + F.hour), (2, "old", now - 4 * F.day)])
      try compareEverything(fixture, seed: 7, "hours were dropped, too", views: ["day"])
    }
  }

  @Test(
    "whatever order clocks, folds, floors and batches come in, every response equals the recount",
    arguments: [1, 2, 3]
  )
  func randomly(seed: UInt64) throws {
    try F.with(horizonDays: 7) { fixture throws in
      var random = SeededGenerator(seed: seed)
      try fill(fixture)
      for step in 0..<14 {
        let now = try fixture.now().time.microseconds
        switch Int.random(in: 0..<4, using: &random) {
        case 0: _ = try runAhead(fixture, days: .random(in: 0...60, using: &random))
        case 1:
          // A fold that something has ended.
          let level = RollupLevel.allCases.randomElement(using: &random) ?? .hour
          let until = now + .random(in: -2...40, using: &random) * F.day
          if var fold = try Fold(fixture.store, level, until: .agreed(until)) {
            _ = try fold.sumChunk()
            if Bool.random(using: &random) { _ = try fold.takeInChanges() }
          }
        case 2:
          let floor = now - .random(in: 1...9, using: &random) * F.day
          _ = try set(floor, fixture, acceptsDuplicates: Bool.random(using: &random), reason: "test")
        default: break
        }
        let floor = try #require(try fixture.store.floorState()).floor.microseconds
        let times = (0..<8).map { _ in now - .random(in: 0...6 * F.day, using: &random) }.filter {
          $0 >= floor
        }
        if !times.isEmpty {
          try fixture.count(times.map { (Int64.random(in: 1...2, using: &random), "step \(step % 3)", $0) })
        }
        try compareEverything(fixture, seed: seed + UInt64(step), "seed \(seed), step \(step)")
      }
    }
  }

  @Test(
    "events that were judged by the old floor are judged again, and those that were wrongly late are released"
  )
  func releasing() throws {
    try F.with(horizonDays: 7) { fixture throws in
      let base = fixture.base
      _ = try runAhead(fixture)
      let claim = try #require(try base.claim(3))
      let next = try base.quarantine([.init(oid: 100), .init(oid: 101, at: -8 * F.day)], .late, claim)
      guard case .changed = try set(base.origin - F.day, fixture) else {
        Issue.record("the floor stays")
        return
      }
      // A worker that does not know of it.
      #expect(throws: TestSupportError.self) { try base.quarantine([.init(oid: 102)], .late, next) }
      var filter = QuarantineFilter()
      filter.since = Timestamp(microseconds: base.origin - F.day)
      #expect(try base.release(filter, late: .certain).readmitted.fates.counted == 1)
      #expect(try base.fates().late == 1)
      #expect(try base.apply(base.batch(next, [Seen(oid: 102)])).isCommitted)
      #expect(try base.violations([Seen(oid: 100), Seen(oid: 102)]) == [])
    }
  }

  @Test(
    "the newest purged event is stored with any deletion of keys, and not when it is rolled back"
  )
  func purgedUntil() throws {
    try F.with(horizonDays: 7) { fixture throws in
      func purgedUntil() throws -> Int64? {
        try fixture.connection.execute("SELECT purged_until FROM dedup_floor").optionalTimestamp(0, 0)
      }
      let today = try fixture.today()
      try fixture.count([(1, "a", today - 3 * F.day), (1, "a", today - 2 * F.day), (1, "a", today - F.day)])
      #expect(try purgedUntil() == nil)
      // As a worker of the release before does it.
      try fixture.connection.begin()
      _ = try fixture.connection.execute("DELETE FROM detection WHERE detection_oid = 2")
      fixture.connection.rollback()
      #expect(try purgedUntil() == nil)
      _ = try fixture.connection.execute("DELETE FROM detection WHERE detection_oid = 2")
      #expect(try purgedUntil() == today - 2 * F.day)
      _ = try fixture.connection.execute("DELETE FROM detection WHERE detection_oid IN (1, 99)")
      #expect(try purgedUntil() == today - 2 * F.day)
    }
  }

  @Test("a floor that a wrong clock has put ahead purges nothing by itself")
  func highFloorPurgesNothing() throws {
    try F.with(horizonDays: 7) { fixture throws in
      try fill(fixture)
      try fixture.connection.run(script: "UPDATE detection SET ingested_at = detected_at")
      try fixture.base.setFloor(try fixture.now().time.microseconds + 33 * F.day)
      var retention = Retention(RetentionPolicy())
      let report = try retention.run(on: fixture.connection, at: fixture.now())
      #expect(report.purgedDetections == 0)
      #expect(try fixture.base.number("SELECT count(*) FROM detection") == Int64(fixture.truth.count))
      // And it is reported.
      let complaint = try #require(try fixture.store.checkClock().complaint)
      #expect(complaint.contains("floor") && complaint.contains("every event is late"), "\(complaint)")
    }
  }

  @Test(
    "a database of the release before: purged up to the floor where a purge may have happened, else never",
    arguments: [true, false]
  )
  func migration(mayHavePurged: Bool) throws {
    try TestDatabase.withDatabase { url in
      let connection = try CountStoreFixture.connect(url)
      _ = try Migrator(CountStore.migrations.filter { $0.version <= 5 }).migrate(connection)
      // A horizon of 7 days: after a week, keys may go; the database is 30 days old, or of today.
      try connection.run(
        script: """
          UPDATE schema_migration SET applied_at = now() - interval '\(mayHavePurged ? 30 : 0) days';
          INSERT INTO dedup_floor (floor_at) VALUES (date_trunc('second', now()) - interval '7 days');
          INSERT INTO ingest_offset (topic, partition, next_offset, epoch, counted) VALUES ('events', 0, 2, 1, 1);
          INSERT INTO item (name_sha256, item_name) VALUES (sha256('box'), 'box');
          INSERT INTO counted_location VALUES (1);
          INSERT INTO detection (detection_oid, detected_at) VALUES (1, now() - interval '1 day');
          INSERT INTO quarantine VALUES ('events', 0, 1, 'late', 2, 1, 1, 'box', now() - interval '8 days', now());
          UPDATE ingest_offset SET late = 1;
          """
      )
      _ = try CountStore(connection).migrate()
      let result = try connection.execute(
        "SELECT purged_until = floor_at, purged_until IS NULL FROM dedup_floor"
      )
      #expect(try result.bool(0, 1) == !mayHavePurged)
      if mayHavePurged { #expect(try result.bool(0, 0)) }
      let fixture = try CountStoreFixture(url: url)
      try fixture.store.ensurePartitions(
        from: Timestamp(microseconds: fixture.origin - 9 * F.day),
        thoroughly: true
      )
      let report = try fixture.release(late: .certain)
      #expect(report.readmitted.fates.counted == (mayHavePurged ? 0 : 1))
      #expect(report.uncertain == (mayHavePurged ? 1 : 0))
    }
  }

  @Test("a first floor goes by the earlier of the two clocks")
  func firstFloor() throws {
    try CountStoreFixture.with { fixture throws in
      let wall = fixture.origin - 40 * F.day
      let host = HostClock(id: "test", wall: { wall }, monotonic: { 0 })
      let request = ClaimRequest(
        key: CountStoreFixture.key(0),
        heldEpoch: nil,
        mayTake: true,
        lowWatermark: 0
      )
      let granted = try fixture.store.claim([request], dedupHorizonSeconds: 86_400, host: host)
      #expect(granted.bounds.floor.microseconds == wall - F.day)
    }
  }
}
