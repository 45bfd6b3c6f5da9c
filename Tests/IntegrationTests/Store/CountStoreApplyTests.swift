import CountStore
import Counting
import Postgres
import TestSupport
import Testing

@Suite("one batch, one transaction")
struct CountStoreApplyTests {
  typealias Seen = CountStoreFixture.Seen

  /// A batch with something of every kind.
  private func mixed(_ fixture: CountStoreFixture, _ claim: PartitionClaim) -> Batch {
    var batch = fixture.batch(claim, [Seen(oid: 1), Seen(oid: 2, location: 2), Seen(oid: 3, at: 61_000_000)])
    batch.parts[0].next += 5
    batch.parts[0].fates.late = 1
    batch.parts[0].fates.future = 1
    batch.parts[0].fates.deadLetter = 2
    batch.parts[0].fates.tombstone = 1
    let name = Array("gone".utf8)
    name.withUnsafeBytes { name in
      for (offset, fate) in [(3, Fate.late), (4, Fate.future)] {
        batch.quarantined.append(
          Batch.QuarantinedEvent(
            part: 0,
            offset: claim.nextOffset + Int64(offset),
            fate: fate,
            event: Event(
              locationOid: 1,
              cameraOid: 2,
              detectionOid: 1000,
              detectedAt: Timestamp(
                microseconds: fate == .late ? -62_167_219_200_000_000 : 253_402_300_799_999_999
              ),
              itemName: name
            )
          )
        )
      }
    }
    for (offset, payload) in [(5, [UInt8]()), (6, [0x00, 0xFF, 0x27, 0x5C])] {
      batch.deadLetters.append(
        Batch.DeadLetter(
          part: 0,
          offset: claim.nextOffset + Int64(offset),
          reason: "invalid_json",
          field: payload.isEmpty ? nil : "item_name",
          payload: payload,
          payloadBytes: payload.isEmpty ? 0 : 9_000_000_000,
          messageAt: payload.isEmpty ? nil : Timestamp(microseconds: 1_000_000)
        )
      )
    }
    return batch
  }

  @Test(
    "everything of it becomes true at once: detections, counts, put-aside and dead messages, offset, revision"
  )
  func everything() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      let outcome = try fixture.apply(mixed(fixture, claim))
      #expect(outcome.usedCarefulPath == false)
      let seen = [Seen(oid: 1), Seen(oid: 2, location: 2), Seen(oid: 3, at: 61_000_000)]
      #expect(try fixture.violations(seen) == [])
      let stored = try fixture.connection.execute(
        "SELECT next_offset, max_event_at, counted, duplicates, late, future, dead_letters, tombstones FROM ingest_offset"
      )
      #expect(try (2..<8).map { try stored.int64(0, $0) } == [3, 0, 1, 1, 2, 1])
      #expect(try stored.int64(0, 0) == 8)
      #expect(try stored.timestamp(0, 1) == fixture.origin + 61_000_000)
      let dead = try fixture.connection.execute(
        #"SELECT payload, payload_bytes, field, message_at FROM dead_letter ORDER BY "offset""#
      )
      #expect(try dead.bytes(0, 0) == [])
      #expect(try dead.optionalString(0, 2) == nil)
      #expect(try dead.optionalTimestamp(0, 3) == nil)
      #expect(try dead.bytes(1, 0) == [0x00, 0xFF, 0x27, 0x5C])
      #expect(try dead.int64(1, 1) == 9_000_000_000)
      #expect(try dead.string(1, 2) == "item_name")
      #expect(try dead.timestamp(1, 3) == 1_000_000)
      let locations = try fixture.connection.execute("SELECT revision, locations::text FROM revision")
      #expect(try locations.string(0, 1) == "{1,2}")
      #expect(try locations.int64(0, 0) == outcome.revision)
    }
  }

  @Test(
    "a batch that fails leaves nothing behind, wherever it fails",
    arguments: ["detection", "window_count", "quarantine", "dead_letter", "revision", "ingest_offset"]
  )
  func atomic(table: String) throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      try fixture.connection.run(
        script: """
          CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '53100'; END $$;
          CREATE TRIGGER refuse AFTER INSERT OR UPDATE ON \(table) FOR EACH STATEMENT EXECUTE FUNCTION refuse();
          """
      )
      for path in [ApplyPath.optimistic, .careful] {
        #expect(throws: PostgresError.self) { try fixture.apply(self.mixed(fixture, claim), path: path) }
      }
      for table in ["detection", "window_count", "quarantine", "dead_letter", "revision"] {
        #expect(try fixture.number("SELECT count(*) FROM \(unescaped: table)") == 0, "\(table)")
      }
      #expect(try fixture.number("SELECT next_offset FROM ingest_offset") == 0)
      try fixture.connection.run(script: "DROP TRIGGER refuse ON \(table)")
      #expect(try fixture.apply(mixed(fixture, claim)).isCommitted, "and the connection goes on")
      #expect(try fixture.violations() == [])
    }
  }

  @Test("a replay of a committed batch is fenced by its offset, though the epoch is right")
  func replay() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      let batch = mixed(fixture, claim)
      #expect(try fixture.apply(batch).isCommitted)
      for path in [ApplyPath.optimistic, .careful] {
        #expect(try fixture.apply(batch, path: path) == .fenced([claim.key]))
      }
      #expect(try fixture.violations() == [])
    }
  }

  @Test("a batch over two partitions is refused whole when one of them is fenced")
  func oneOfTwoFenced() throws {
    try CountStoreFixture.with { fixture throws in
      let first = try #require(try fixture.claim(0))
      let second = try #require(try fixture.claim(1))
      _ = try fixture.claim(1)
      var batch = fixture.batch(first, [Seen(oid: 1), Seen(oid: 2)])
      batch.parts.append(Batch.Part(topic: "events", partition: 1, epoch: second.epoch, base: 0))
      batch.parts[1].next = 1
      batch.detections[1].part = 1
      batch.parts[0].next = 1
      batch.parts[0].fates.counted = 1
      batch.parts[1].fates.counted = 1
      #expect(try fixture.apply(batch) == .fenced([CountStoreFixture.key(1)]))
      #expect(try fixture.violations([]) == [])
    }
  }

  @Test("COPY that meets a stored detection gives way to the careful path, which counts only what is new")
  func optimisticMeetsDuplicate() throws {
    try CountStoreFixture.with { fixture throws in
      var claim = try #require(try fixture.claim())
      let first = (0..<100).map { Seen(oid: $0 * 2, location: $0 % 3) }
      let batch = fixture.batch(claim, first)
      #expect(try fixture.apply(batch).usedCarefulPath == false)
      claim = fixture.after(batch)
      let second = (50..<150).map { Seen(oid: $0, location: $0 % 5, item: "crate") }
      let outcome = try fixture.apply(fixture.batch(claim, second))
      #expect(outcome.usedCarefulPath == true)
      #expect(outcome.committedParts?[0].fates.counted == 50)
      #expect(outcome.committedParts?[0].fates.duplicate == 50)
      #expect(try fixture.violations(first + second) == [])
    }
  }

  @Test("all of a batch may be known already: nothing is counted, and the offset goes on")
  func allDuplicates() throws {
    try CountStoreFixture.with { fixture throws in
      var claim = try #require(try fixture.claim())
      let seen = (0..<10).map { Seen(oid: $0) }
      for path in [ApplyPath.optimistic, .careful, .optimistic] {
        let batch = fixture.batch(claim, seen)
        #expect(try fixture.apply(batch, path: path).isCommitted)
        claim = fixture.after(batch)
      }
      #expect(claim.nextOffset == 30)
      #expect(try fixture.number("SELECT duplicates FROM ingest_offset") == 20)
      #expect(try fixture.violations(seen) == [])
    }
  }

  @Test("the same detection with another day, place and name counts once: the first wins")
  func anotherDay() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      let first = fixture.batch(claim, [Seen(oid: 7)])
      #expect(try fixture.apply(first).isCommitted)
      let other = Seen(oid: 7, location: 9, item: "crate", at: -2 * 86_400_000_000)
      #expect(try fixture.apply(fixture.batch(fixture.after(first), [other])).isCommitted)
      #expect(try fixture.violations([Seen(oid: 7)]) == [])
    }
  }

  @Test("the extreme identifiers are counted as any other")
  func extremes() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      let seen = [Int64.min, -1, 0, 1, .max].map { Seen(oid: $0, location: $0) }
      #expect(try fixture.apply(fixture.batch(claim, seen)).isCommitted)
      #expect(try fixture.violations(seen) == [])
    }
  }

  @Test("an empty offset range only moves the offset")
  func nothingToCount() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      var batch = fixture.batch(claim, [])
      batch.parts[0].next = 4
      batch.parts[0].fates.tombstone = 4
      #expect(try fixture.apply(batch).isCommitted)
      let stored = try fixture.connection.execute("SELECT next_offset, max_event_at FROM ingest_offset")
      #expect(try stored.int64(0, 0) == 4)
      #expect(try stored.optionalTimestamp(0, 1) == nil)
    }
  }

  @Test("a floor that has risen above a detection refuses the batch, with the new bounds")
  func floorRose() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      _ = try fixture.connection.execute(
        "UPDATE dedup_floor SET floor_at = \(timestamp: fixture.origin + 10)"
      )
      let outcome = try fixture.apply(fixture.batch(claim, [Seen(oid: 1, at: 9), Seen(oid: 2, at: 11)]))
      guard case .floorMoved(let bounds) = outcome else {
        Issue.record("\(outcome)")
        return
      }
      #expect(bounds.floor.microseconds == fixture.origin + 10)
      #expect(try fixture.number("SELECT count(*) FROM detection") == 0)
      #expect(
        try fixture.apply(fixture.batch(claim, [Seen(oid: 1, at: 10)])).isCommitted,
        "the floor is inside"
      )
    }
  }

  @Test("revisions grow with every batch and are announced once committed")
  func revisions() throws {
    try CountStoreFixture.with { fixture throws in
      let listener = try CountStoreFixture.connect(fixture.url)
      try listener.listen(to: CountStore.revisionChannel)
      var claim = try #require(try fixture.claim())
      var last: Int64 = 0
      for number in 0..<20 {
        let batch = fixture.batch(claim, [Seen(oid: Int64(number))])
        let revision = try #require(try fixture.apply(batch).revision)
        #expect(revision > last)
        last = revision
        claim = fixture.after(batch)
        let received = try listener.waitForNotification(timeout: 10_000)
        #expect(received?.channel == CountStore.revisionChannel)
        let notice = RevisionNotice(
          revision: revision,
          newestEvent: Timestamp(microseconds: fixture.origin),
          locations: [1]
        )
        #expect(received.flatMap { RevisionNotice(payload: $0.payload) } == notice)
      }
      let batch = fixture.batch(claim, [Seen(oid: 100)])
      var stale = claim
      stale.epoch = 99
      #expect(try fixture.apply(fixture.batch(stale, [Seen(oid: 100)])) == .fenced([claim.key]))
      #expect(try listener.waitForNotification(timeout: 0) == nil, "a refused batch announces nothing")
      #expect(try fixture.apply(batch).isCommitted)
    }
  }

  @Test("a revision is never below the clock, nor used again when the log has a higher one")
  func revisionNumbers() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      let future: Int64 = 9_000_000_000_000_000
      _ = try fixture.connection.execute("INSERT INTO revision (revision) VALUES (\(future))")
      #expect(try fixture.apply(fixture.batch(claim, [Seen(oid: 1)])).revision == future + 1)
      try fixture.store.trimRevisions(olderThanSeconds: -10, at: AgreedTime.current(fixture.connection))
      #expect(try fixture.number("SELECT max(revision) FROM revision") == future + 1, "the newest stays")
    }
  }

  @Test("a put-aside message that is written again keeps its one row")
  func replayedQuarantine() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      #expect(try fixture.apply(mixed(fixture, claim)).isCommitted)
      // As after a failover that has lost the offset, but not the rows that came before it.
      try fixture.connection.run(
        script: """
          UPDATE ingest_offset SET next_offset = 0, counted = 0, duplicates = 0, late = 0, future = 0,
            dead_letters = 0, tombstones = 0;
          """
      )
      #expect(try fixture.apply(mixed(fixture, claim)).committedParts?[0].fates.duplicate == 3)
      #expect(try fixture.number("SELECT count(*) FROM dead_letter") == 2)
      #expect(try fixture.number("SELECT count(*) FROM quarantine") == 2)
    }
  }
}
