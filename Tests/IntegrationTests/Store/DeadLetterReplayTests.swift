import CountStore
import Counting
import Postgres
import TestSupport
import Testing

@Suite("dead letters that are replayed")
struct DeadLetterReplayTests {
  typealias Sent = CountStoreFixture.Sent
  typealias Seen = CountStoreFixture.Seen

  @Test(
    "those that are events now get the fate they would have had, and the others stay with their new reason"
  )
  func everyFate() throws {
    try CountStoreFixture.with { fixture throws in
      var claim = try #require(try fixture.claim())
      let before = fixture.batch(claim, [Seen(oid: 1)])
      #expect(try fixture.apply(before).isCommitted)
      claim = fixture.after(before)
      let day: Int64 = 86_400_000_000
      let sent = [
        Sent(oid: 2), Sent(oid: 1), Sent(oid: 3, at: -8 * day), Sent(oid: 4, at: 2 * day),
        Sent(oid: 2, item: "other"),
      ]
      try fixture.insertDeadLetters(sent.map { $0.payload(fixture.origin) } + [Array("{".utf8), []], claim)

      let report = try fixture.replay()
      #expect(report.examined == 7 && report.decoded == 5)
      #expect(report.failed == ["invalid_json": 1, "empty": 1])
      var fates = FateCounts()
      fates.counted = 1
      fates.duplicate = 2
      fates.late = 1
      fates.future = 1
      #expect(report.readmitted.fates == fates)
      #expect(report.readmitted.unaccounted == 0 && report.readmitted.left == 0)

      fates.counted = 2
      fates.deadLetter = 2
      #expect(try fixture.fates() == fates)
      #expect(try fixture.violations([Seen(oid: 1), Seen(oid: 2)]) == [])
      let left = try fixture.store.deadLetters(DeadLetterFilter(), limit: 100)
      #expect(left.map(\.reason) == ["invalid_json", "empty"])
      let aside = try fixture.store.quarantinedEvents(QuarantineFilter(), limit: 100)
      #expect(aside.map(\.reason) == [.late, .future])
      #expect(aside.map(\.oid) == [3, 4])
      #expect(try fixture.replay().readmitted.fates.total == 0, "and once is enough")
      #expect(try fixture.violations() == [])
    }
  }

  @Test("one whose end was not kept cannot be replayed, and says so")
  func truncated() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      // Its beginning is a whole event: the cut must not make one of it.
      let payload = Sent(oid: 1).payload(fixture.origin)
      try fixture.insertDeadLetters(
        [payload + Array(repeating: 0x20, count: 100)],
        claim,
        cutTo: payload.count
      )
      let report = try fixture.replay()
      #expect(report.truncated == 1 && report.decoded == 0)
      #expect(try fixture.store.deadLetters(DeadLetterFilter(), limit: 9).map(\.reason) == ["old"])
      #expect(try fixture.violations([]) == [])
    }
  }

  @Test("filters choose by topic, partition, reason and time; pages go on where the last one ended")
  func filters() throws {
    try CountStoreFixture.with { fixture throws in
      for partition: Int32 in [0, 1] {
        let claim = try #require(try fixture.claim(partition))
        let after = try fixture.insertDeadLetters([[1], [2], [3]], claim, reason: "a")
        try fixture.insertDeadLetters([[4]], after, reason: "b")
      }
      let now = Timestamp(
        microseconds: try fixture.connection.execute("SELECT clock_timestamp()").timestamp(0, 0)
      )
      func count(_ change: (inout DeadLetterFilter) -> Void) throws -> Int64 {
        var filter = DeadLetterFilter()
        change(&filter)
        #expect(
          try Int64(fixture.store.deadLetters(filter, limit: 100).count)
            == fixture.store.countDeadLetters(filter)
        )
        return try fixture.store.countDeadLetters(filter)
      }
      #expect(try count { _ in } == 8)
      #expect(try count { $0.topic = "events" } == 8)
      #expect(try count { $0.topic = "Events" } == 0)
      #expect(try count { $0.partition = 1 } == 4)
      #expect(try count { $0.reason = "b" } == 2)
      #expect(try count { $0.since = now } == 0)
      #expect(try count { $0.until = now } == 8)
      #expect(try count { ($0.since, $0.until, $0.reason) = (Timestamp(microseconds: 0), now, "a") } == 6)

      var pages: [DeadLetter] = []
      while case let page = try fixture.store.deadLetters(
        DeadLetterFilter(),
        after: pages.last?.position,
        limit: 3
      ),
        !page.isEmpty
      { pages += page }
      #expect(try pages == fixture.store.deadLetters(DeadLetterFilter(), limit: 100))
      let first = try #require(try fixture.store.deadLetter(at: pages[5].position))
      #expect(first.letter == pages[5] && first.payload == [2])
    }
  }

  @Test("purged ones are gone, what became of them is still counted, and those that are locked are left")
  func purge() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      try fixture.insertDeadLetters((0..<25).map { [UInt8($0)] }, claim)
      let other = try CountStoreFixture.connect(fixture.url)
      try other.begin()
      _ = try other.execute(#"SELECT FROM dead_letter WHERE "offset" = 3 FOR UPDATE"#)
      var counts: [Int] = []
      repeat {
        counts.append(try fixture.store.purgeDeadLetters(DeadLetterFilter(), limit: 10))
      } while counts.last != 0
      #expect(counts == [10, 10, 4, 0])
      other.rollback()
      #expect(try fixture.store.purgeDeadLetters(DeadLetterFilter(), limit: 10) == 1)
      #expect(try fixture.fates().deadLetter == 25)
    }
  }

  @Test("eight processes that replay the same at once count each once")
  func concurrentReplays() throws {
    try CountStoreFixture.with { fixture throws in
      let sent = (0..<1500).map { Sent(oid: Int64($0 % 1200), location: Int64($0 % 5), item: "i\($0 % 7)") }
      for partition: Int32 in 0..<3 {
        let claim = try #require(try fixture.claim(partition))
        let share = sent[Int(partition) * 500..<(Int(partition) + 1) * 500]
        try fixture.insertDeadLetters(share.map { $0.payload(fixture.origin) }, claim)
      }
      let url = fixture.url
      let replays = (0..<8).map { _ in
        Background { () -> ReplayReport in
          let other = try CountStoreFixture(url: url)
          return try other.replay()
        }
      }
      var fates = FateCounts()
      for replay in replays { fates += try replay.value(within: 60).readmitted.fates }
      #expect(fates.counted == 1200 && fates.duplicate == 300 && fates.total == 1500)
      #expect(try fixture.store.countDeadLetters(DeadLetterFilter()) == 0)
      // Which one of two with the same oid is the first is not said: windows are compared where there is only one.
      #expect(try fixture.violations() == [])
      #expect(try fixture.fates() == fates)
    }
  }

  @Test("a replay beside ingestion of the same detections counts each once, without a deadlock")
  func besideIngestion() throws {
    try CountStoreFixture.with { fixture throws in
      let refused = try #require(try fixture.claim(0))
      let sent = (0..<2000).map { Sent(oid: Int64($0), location: Int64($0 % 11)) }
      try fixture.insertDeadLetters(sent.shuffled().map { $0.payload(fixture.origin) }, refused)
      let claim = try #require(try fixture.claim(1))
      let url = fixture.url
      let replay = Background { try CountStoreFixture(url: url).replay() }
      var next = claim
      for start in stride(from: 0, to: 2000, by: 100) {
        let batch = fixture.batch(next, sent[start..<start + 100].map(\.seen))
        #expect(try fixture.apply(batch).isCommitted)
        next = fixture.after(batch)
      }
      let report = try replay.value(within: 60)
      #expect(report.readmitted.fates.total == 2000)
      let fates = try fixture.fates()
      #expect(fates.counted == 2000 && fates.duplicate == 2000 && fates.deadLetter == 0)
      #expect(try fixture.violations(sent.map(\.seen)) == [])
    }
  }

  @Test(
    "a replay that fails leaves all as it was, wherever it fails",
    arguments: ["detection", "window_count", "camera_change", "quarantine", "ingest_offset", "revision"]
  )
  func atomic(table: String) throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      let sent = [Sent(oid: 1), Sent(oid: 2, at: -8 * 86_400_000_000)]
      try fixture.insertDeadLetters(sent.map { $0.payload(fixture.origin) }, claim)
      try fixture.connection.run(
        script: """
          CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '53100'; END $$;
          CREATE TRIGGER refuse AFTER INSERT OR UPDATE ON \(table) FOR EACH STATEMENT EXECUTE FUNCTION refuse();
          """
      )
      #expect(throws: PostgresError.self) { _ = try fixture.replay() }
      #expect(try fixture.fates().deadLetter == 2 && fixture.fates().total == 2)
      #expect(try fixture.violations([]) == [])
      try fixture.connection.run(script: "DROP TRIGGER refuse ON \(table)")
      #expect(try fixture.replay().readmitted.fates.total == 2, "and the next try succeeds")
      #expect(try fixture.violations([Seen(oid: 1)]) == [])
    }
  }

  @Test("a process that is ended in the middle of its transaction leaves all as it was")
  func killed() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      let sent = (0..<50).map { Sent(oid: Int64($0)) }
      try fixture.insertDeadLetters(sent.map { $0.payload(fixture.origin) }, claim)
      // It waits for this lock after everything else is done.
      let other = try CountStoreFixture.connect(fixture.url)
      try other.begin()
      _ = try other.execute("LOCK TABLE revision IN EXCLUSIVE MODE")
      let url = fixture.url
      let replay = Background { () -> PostgresError? in
        do {
          _ = try CountStoreFixture(url: url).replay()
          return nil
        } catch { return error as? PostgresError }
      }
      try waitUntil("the replay waits for the lock") {
        try fixture.number(
          """
          SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
          WHERE NOT granted AND datname = current_database() AND relation = 'revision'::regclass
          """
        ) == 1
      }
      _ = try fixture.connection.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE NOT granted AND relation = 'revision'::regclass"
      )
      #expect(try replay.value()?.kind == .connection)
      other.rollback()
      #expect(try fixture.fates().deadLetter == 50)
      #expect(try fixture.violations([]) == [])
      #expect(try fixture.replay().readmitted.fates.counted == 50)
      #expect(try fixture.violations(sent.map(\.seen)) == [])
    }
  }

  @Test("one that the database refuses stays, with the SQLSTATE as its reason; its neighbours are counted")
  func refused() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      let sent = (0..<20).map { Sent(oid: Int64($0), location: Int64($0)) }
      try fixture.insertDeadLetters(sent.map { $0.payload(fixture.origin) }, claim)
      try fixture.connection.run(
        script: """
          CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '22003'; END $$;
          CREATE TRIGGER refuse BEFORE INSERT ON detection FOR EACH ROW WHEN (NEW.detection_oid = 13)
            EXECUTE FUNCTION refuse();
          """
      )
      let report = try fixture.replay()
      #expect(report.readmitted.fates.counted == 19)
      #expect(report.failed == ["database_rejected_22003": 1])
      let left = try fixture.store.deadLetters(DeadLetterFilter(), limit: 9)
      #expect(left.map(\.position.offset) == [13] && left.map(\.reason) == ["database_rejected_22003"])
      #expect(try fixture.violations(sent.filter { $0.oid != 13 }.map(\.seen)) == [])
    }
  }

  @Test("where a partition's row is gone, or inserted again, events count and no fate moves")
  func unaccounted() throws {
    try CountStoreFixture.with { fixture throws in
      for partition: Int32 in 0..<3 {
        let claim = try #require(try fixture.claim(partition))
        try fixture.insertDeadLetters([Sent(oid: Int64(partition)).payload(fixture.origin)], claim)
      }
      // 0 is gone; 1 was inserted again and has not come to the message yet; 2 starts behind it.
      _ = try fixture.connection.execute("DELETE FROM ingest_offset")
      _ = try fixture.claim(1, low: 0)
      _ = try fixture.claim(2, low: 5)
      let report = try fixture.replay()
      #expect(report.readmitted.fates.counted == 3 && report.readmitted.unaccounted == 3)
      #expect(try fixture.fates() == FateCounts())
      #expect(try fixture.number("SELECT count(*) FROM detection") == 3)
      #expect(try fixture.number("SELECT sum(item_count) FROM window_count") == 3)
    }
  }

  @Test("a dry run only reports, and other options read what these cannot")
  func options() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      try fixture.insertDeadLetters([Sent(oid: 1, at: 7_200_000_000).payload(fixture.origin), [0xFF]], claim)
      var options = ReplayOptions()
      options.isDryRun = true
      let dry = try fixture.replay(options: options)
      #expect(
        dry.decoded == 1 && dry.failed.values.reduce(0, +) == 1 && dry.readmitted == ReadmissionReport()
      )
      #expect(try fixture.fates().deadLetter == 2)
      options.isDryRun = false
      options.allowedSkewSeconds = 4 * 3600
      #expect(try fixture.replay(options: options).readmitted.fates.counted == 1)
      #expect(try fixture.store.status().watermark?.microseconds == fixture.origin + 7_200_000_000)
    }
  }
}
