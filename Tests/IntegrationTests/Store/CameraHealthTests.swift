import CountStore
import Counting
import Postgres
import TestSupport
import Testing

@Suite("the health of cameras")
struct CameraHealthTests {
  typealias Sent = CountStoreFixture.Sent

  /// A batch of these events, with what a worker knows of their cameras.
  private func batch(_ fixture: CountStoreFixture, _ claim: PartitionClaim, _ sent: [Sent]) -> Batch {
    var batch = fixture.batch(claim, sent.map(\.seen))
    for (index, detection) in batch.detections.enumerated() {
      guard let event = sent.first(where: { $0.oid == detection.oid }) else { continue }
      batch.detections[index].camera = batch.cameras.noteArrival(
        CameraKey(location: event.location, camera: event.camera),
        skew: event.at - 1000
      )
      batch.detections[index].payloadHash = Array(event.item.utf8).withUnsafeBytes {
        PayloadHash.of(
          location: event.location,
          camera: event.camera,
          detectedAt: Timestamp(microseconds: fixture.origin + event.at),
          itemName: $0
        )
      }
    }
    return batch
  }

  private func apply(
    _ fixture: CountStoreFixture,
    _ batch: Batch,
    _ ledger: inout CameraLedger,
    path: ApplyPath = .optimistic,
    on connection: Connection? = nil
  ) throws -> PartitionClaim {
    let store = CountStore(connection ?? fixture.connection)
    let ids = try store.internItems(batch.newItems.map(\.name))
    try store.admit(batch.cameras, to: &ledger)
    let outcome = try store.apply(batch, itemIDs: ids, path: path, cameras: &ledger)
    #expect(outcome.isCommitted)
    return fixture.after(batch)
  }

  /// counted, duplicates, conflicts of a camera.
  private func tally(_ fixture: CountStoreFixture, _ location: Int64, _ camera: Int64) throws -> [Int64] {
    let result = try fixture.connection.execute(
      """
      SELECT counted, duplicates, conflicts FROM camera_health
      WHERE geographical_location_oid = \(location) AND video_camera_oid = \(camera)
      """
    )
    return result.count == 1 ? try (0..<3).map { try result.int64(0, $0) } : []
  }

  @Test(
    "a resend is a duplicate, and a conflict if location, camera, item or time differ; the first one stays",
    arguments: [ApplyPath.optimistic, .careful]
  )
  func conflicts(path: ApplyPath) throws {
    try CountStoreFixture.with { fixture throws in
      var claim = try #require(try fixture.claim())
      var ledger = CameraLedger()
      let first = (1...6).map { Sent(oid: Int64($0)) }
      claim = try apply(fixture, batch(fixture, claim, first), &ledger)
      let second = [
        Sent(oid: 1), Sent(oid: 2, item: "other"), Sent(oid: 3, at: 1), Sent(oid: 4, camera: 11),
        Sent(oid: 5, location: 2), Sent(oid: 6, item: "box"), Sent(oid: 7),
      ]
      claim = try apply(fixture, batch(fixture, claim, second), &ledger, path: path)
      #expect(try tally(fixture, 1, 10) == [7, 4, 2])
      #expect(try tally(fixture, 1, 11) == [0, 1, 1])
      #expect(try tally(fixture, 2, 10) == [0, 1, 1])
      #expect(try fixture.violations((first + [Sent(oid: 7)]).map(\.seen)) == [])
      let skews = try fixture.connection.execute(
        """
        SELECT largest_skew_us, latest_skew_us, last_seen > now() - interval '1 minute' FROM camera_health
        WHERE geographical_location_oid = 1 AND video_camera_oid = 10
        """
      )
      #expect(try skews.int64(0, 0) == -999 && skews.int64(0, 1) == -1000 && skews.bool(0, 2))
    }
  }

  @Test("a detection of before the hash was stored is never in conflict")
  func withoutHash() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      var ledger = CameraLedger()
      _ = try fixture.connection.execute(
        "INSERT INTO detection (detection_oid, detected_at) VALUES (1, now())"
      )
      _ = try apply(fixture, batch(fixture, claim, [Sent(oid: 1)]), &ledger)
      #expect(try tally(fixture, 1, 10) == [0, 1, 0])
    }
  }

  @Test("beyond the limit, invented cameras share one row, and known ones go on by themselves")
  func overflow() throws {
    try CountStoreFixture.with { fixture throws in
      var claim = try #require(try fixture.claim())
      var ledger = CameraLedger(limit: 5)
      claim = try apply(fixture, batch(fixture, claim, (0..<3).map { Sent(oid: $0, camera: $0) }), &ledger)
      for round in 1...3 as ClosedRange<Int64> {
        let hostile =
          (0..<3).map { Sent(oid: round * 1000 + $0, camera: $0) }
          + (10..<500).map { Sent(oid: round * 1000 + $0, camera: round * 1000 + $0) }
        claim = try apply(fixture, batch(fixture, claim, hostile), &ledger)
      }
      #expect(try fixture.number("SELECT count(*) FROM camera_health") == 5)
      for camera: Int64 in 0..<3 { #expect(try tally(fixture, 1, camera) == [4, 0, 0]) }
      #expect(try fixture.number("SELECT counted FROM camera_overflow") == 3 * 490 - 2)

      // Another worker, which begins when the table is full, still finds those that are known.
      var late = CameraLedger(limit: 5)
      claim = try apply(fixture, batch(fixture, claim, [Sent(oid: 9000, camera: 1)]), &late)
      claim = try apply(
        fixture,
        batch(fixture, claim, [Sent(oid: 9001, camera: 2), Sent(oid: 9002, camera: 77)]),
        &late
      )
      #expect(try tally(fixture, 1, 1) == [5, 0, 0] && tally(fixture, 1, 2) == [5, 0, 0])
      #expect(try tally(fixture, 1, 77) == [])
      #expect(try fixture.violations() == [])
      #expect(
        try fixture.number(
          "SELECT (SELECT sum(counted)::bigint FROM camera_health) + (SELECT counted FROM camera_overflow)"
        ) == fixture.fates().counted
      )
    }
  }

  @Test("with a limit of 0 no camera has a row, and nothing is lost")
  func off() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      var ledger = CameraLedger(limit: 0)
      _ = try apply(fixture, batch(fixture, claim, [Sent(oid: 1), Sent(oid: 2, camera: 3)]), &ledger)
      #expect(try fixture.number("SELECT count(*) FROM camera_health") == 0)
      #expect(try fixture.number("SELECT counted FROM camera_overflow") == 2)
    }
  }

  @Test("two workers with the same cameras in opposite order neither deadlock nor lose a count")
  func twoWorkers() throws {
    try CountStoreFixture.with { fixture throws in
      let url = fixture.url
      let workers = ([0, 1] as [Int64]).map { (number: Int64) in
        Background { () throws -> Int in
          let other = try CountStoreFixture(url: url)
          var ledger = CameraLedger(limit: 200)
          guard var claim = try other.claim(Int32(number)) else { return 0 }
          for round in 0..<20 as Range<Int64> {
            let sent = (0..<300).map { (step: Int64) -> Sent in
              let place: Int64 = number == 0 ? step : 299 - step
              let oid: Int64 = round * 300 + place
              // Half of the identifiers are the other worker's, too.
              return Sent(oid: place % 2 == 0 ? oid : (number + 1) * 100_000 + oid, camera: place)
            }
            claim = try self.apply(other, self.batch(other, claim, sent), &ledger)
          }
          return 20 * 300
        }
      }
      var messages = 0
      for worker in workers { messages += try worker.value(within: 60) }
      #expect(messages == 12_000)
      #expect(try fixture.number("SELECT count(*) FROM camera_health") == 200)
      let sums = try fixture.connection.execute(
        """
        SELECT (SELECT sum(counted)::bigint FROM camera_health) + (SELECT counted FROM camera_overflow),
               (SELECT sum(duplicates)::bigint FROM camera_health) + (SELECT duplicates FROM camera_overflow),
               (SELECT sum(conflicts)::bigint FROM camera_health)
        """
      )
      let fates = try fixture.fates()
      #expect(try sums.int64(0, 0) == Int64(fates.counted) && sums.int64(0, 1) == Int64(fates.duplicate))
      #expect(try sums.int64(0, 2) == 0)
      #expect(fates.counted == 9000 && fates.duplicate == 3000)
      #expect(try fixture.violations() == [])
    }
  }

  @Test("a batch that is rolled back counts nothing of its cameras")
  func rolledBack() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      var ledger = CameraLedger()
      let batch = batch(fixture, claim, [Sent(oid: 1)])
      _ = try fixture.claim(mayTake: true)
      try fixture.store.admit(batch.cameras, to: &ledger)
      let ids = try fixture.store.internItems(batch.newItems.map(\.name))
      let outcome = try fixture.store.apply(batch, itemIDs: ids, path: .optimistic, cameras: &ledger)
      #expect(outcome == .fenced([claim.key]))
      #expect(try tally(fixture, 1, 10) == [0, 0, 0])
    }
  }

  @Test("what was noted is added to the rows when it is time, once, and the view is exact all along")
  func notes() throws {
    try CountStoreFixture.with { fixture throws in
      var claim = try #require(try fixture.claim())
      var ledger = CameraLedger(interval: .seconds(3600))
      var eager = CameraLedger(interval: .zero)
      func notes() throws -> Int64 { try fixture.number("SELECT count(*) FROM camera_change") }
      func row() throws -> Int64 {
        try fixture.number("SELECT counted FROM camera_tally WHERE video_camera_oid = 10")
      }
      for oid in 1...3 as ClosedRange<Int64> {
        claim = try apply(fixture, batch(fixture, claim, [Sent(oid: oid, at: oid)]), &ledger)
        #expect(try notes() == oid && row() == 0)
        #expect(try tally(fixture, 1, 10) == [oid, 0, 0])
      }
      claim = try apply(fixture, batch(fixture, claim, [Sent(oid: 4, at: 2)]), &eager)
      #expect(try notes() == 3 && row() == 1)
      #expect(try tally(fixture, 1, 10) == [4, 0, 0])

      // Somebody takes the first worker for dead, and it comes back.
      #expect(try fixture.store.addForgottenCameraChanges() == 0, "they are too young")
      #expect(try fixture.store.addForgottenCameraChanges(olderThanSeconds: 0, limit: 2) == 2)
      #expect(try notes() == 1 && row() == 3)
      ledger.makeDue()
      claim = try apply(fixture, batch(fixture, claim, [Sent(oid: 5)]), &ledger)
      #expect(try notes() == 2 && row() == 3, "its memory is not added again")
      ledger.makeDue()
      claim = try apply(fixture, batch(fixture, claim, [Sent(oid: 6)]), &ledger)
      #expect(try notes() == 1 && row() == 5)
      #expect(try fixture.store.addForgottenCameraChanges(olderThanSeconds: 0) == 1)
      #expect(try notes() == 0 && row() == 6)
      #expect(try tally(fixture, 1, 10) == [6, 0, 0])
      let skew = try fixture.connection.execute("SELECT largest_skew_us FROM camera_health")
      #expect(try skew.int64(0, 0) == 3 - 1000)
    }
  }

  @Test("a worker that is rolled back when it adds its notes has added none, and adds them later")
  func notesRolledBack() throws {
    try CountStoreFixture.with { fixture throws in
      var claim = try #require(try fixture.claim())
      var ledger = CameraLedger(interval: .seconds(3600))
      claim = try apply(fixture, batch(fixture, claim, [Sent(oid: 1)]), &ledger)
      let second = batch(fixture, claim, [Sent(oid: 2)])
      let ids = try fixture.store.internItems(second.newItems.map(\.name))
      ledger.makeDue()
      try fixture.connection.run(
        script: """
          CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '53100'; END $$;
          CREATE TRIGGER refuse AFTER INSERT ON revision FOR EACH STATEMENT EXECUTE FUNCTION refuse();
          """
      )
      #expect(throws: PostgresError.self) {
        try fixture.store.apply(second, itemIDs: ids, path: .optimistic, cameras: &ledger)
      }
      #expect(try tally(fixture, 1, 10) == [1, 0, 0])
      try fixture.connection.run(script: "DROP TRIGGER refuse ON revision")
      _ = try apply(fixture, second, &ledger)
      #expect(try fixture.number("SELECT count(*) FROM camera_change") == 0)
      #expect(try tally(fixture, 1, 10) == [2, 0, 0])
    }
  }

  @Test("replayed and released events count for their cameras")
  func readmitted() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      let after = try fixture.bury([Sent(oid: 1).payload(fixture.origin)], claim)
      try fixture.putAside([Sent(oid: 2), Sent(oid: 1, item: "other")], .future, after)
      _ = try fixture.replay()
      _ = try fixture.release()
      #expect(try tally(fixture, 1, 10) == [2, 1, 1])
    }
  }

  @Test("the status names the cameras with problems, the worst first, and no more than twenty")
  func status() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      var part = fixture.batch(claim, [])
      part.parts[0].next = 3
      part.parts[0].fates.tombstone = 3
      part.parts[0].logEnd = 10
      #expect(try fixture.apply(part).isCommitted)
      try fixture.connection.run(
        script: """
          INSERT INTO camera_tally (geographical_location_oid, video_camera_oid, counted, duplicates, conflicts, late)
          SELECT 1, n, 100, n, CASE WHEN n % 2 = 0 THEN n ELSE 0 END, CASE WHEN n = 1 THEN 5 ELSE 0 END
          FROM generate_series(1, 60) AS n
          """
      )
      let status = try fixture.store.status()
      #expect(status.camerasKnown == 60)
      #expect(status.cameraProblems.count == CountStore.cameraProblemLimit)
      #expect(status.cameraProblems.map(\.key.camera).prefix(3) == [60, 58, 56])
      #expect(status.partitions.first?.nextOffset == 3 && status.partitions.first?.logEnd == 10)
      #expect(status.revision > 0 && status.watermark == nil)
      #expect(status.partitions.first?.fates.tombstone == 3)
    }
  }
}
