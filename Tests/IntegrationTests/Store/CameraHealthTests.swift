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
      batch.detections[index].camera = batch.cameras.recordArrival(
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
    path: ApplyPath = .optimistic,
    on connection: Connection? = nil
  ) throws -> PartitionClaim {
    let store = CountStore(connection ?? fixture.connection)
    let ids = try store.internItems(batch.newItems.map(\.name))
    let outcome = try store.apply(batch, itemIDs: ids, path: path)
    #expect(outcome.isCommitted)
    return fixture.after(batch)
  }

  /// Folds all committed changes.
  private func fold(_ fixture: CountStoreFixture, limit: Int = 1000) throws {
    while try fixture.store.foldCameraChanges(limit: limit, olderThanSeconds: 0) > 0 {}
  }

  /// The counted events in the cameras' rows and in the common row, without changes that are not folded.
  private func folded(_ fixture: CountStoreFixture) throws -> [Int64] {
    let result = try fixture.connection.execute(
      """
      SELECT coalesce((SELECT sum(counted)::bigint FROM camera_tally), 0),
             coalesce((SELECT counted FROM camera_overflow), 0), (SELECT count(*) FROM camera_tally)
      """
    )
    return try (0..<3).map { try result.int64(0, $0) }
  }

  /// counted, duplicates, conflicts of a camera.
  private func counters(_ fixture: CountStoreFixture, _ location: Int64, _ camera: Int64) throws -> [Int64] {
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
      let first = (1...6).map { Sent(oid: Int64($0)) }
      claim = try apply(fixture, batch(fixture, claim, first))
      let second = [
        Sent(oid: 1), Sent(oid: 2, item: "other"), Sent(oid: 3, at: 1), Sent(oid: 4, camera: 11),
        Sent(oid: 5, location: 2), Sent(oid: 6, item: "box"), Sent(oid: 7),
      ]
      claim = try apply(fixture, batch(fixture, claim, second), path: path)
      #expect(try counters(fixture, 1, 10) == [7, 4, 2])
      #expect(try counters(fixture, 1, 11) == [0, 1, 1])
      #expect(try counters(fixture, 2, 10) == [0, 1, 1])
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
      _ = try fixture.connection.execute(
        "INSERT INTO detection (detection_oid, detected_at) VALUES (1, now())"
      )
      _ = try apply(fixture, batch(fixture, claim, [Sent(oid: 1)]))
      #expect(try counters(fixture, 1, 10) == [0, 1, 0])
    }
  }

  @Test("beyond the limit, invented cameras share one row, and known ones go on by themselves")
  func overflow() throws {
    try CountStoreFixture.with { fixture throws in
      var claim = try #require(try fixture.claim())
      claim = try apply(fixture, batch(fixture, claim, (0..<3).map { Sent(oid: $0, camera: $0) }))
      try fold(fixture, limit: 5)
      for round in 1...3 as ClosedRange<Int64> {
        let hostile =
          (0..<3).map { Sent(oid: round * 1000 + $0, camera: $0) }
          + (10..<500).map { Sent(oid: round * 1000 + $0, camera: round * 1000 + $0) }
        claim = try apply(fixture, batch(fixture, claim, hostile))
        try fold(fixture, limit: 5)
      }
      #expect(try fixture.number("SELECT count(*) FROM camera_health") == 5)
      for camera: Int64 in 0..<3 { #expect(try counters(fixture, 1, camera) == [4, 0, 0]) }
      #expect(try fixture.number("SELECT counted FROM camera_overflow") == 3 * 490 - 2)

      // A fold that begins when the table is full still finds the cameras that have a row.
      claim = try apply(fixture, batch(fixture, claim, [Sent(oid: 9000, camera: 1)]))
      claim = try apply(
        fixture,
        batch(fixture, claim, [Sent(oid: 9001, camera: 2), Sent(oid: 9002, camera: 77)])
      )
      try fold(fixture, limit: 5)
      #expect(try counters(fixture, 1, 1) == [5, 0, 0] && counters(fixture, 1, 2) == [5, 0, 0])
      #expect(try counters(fixture, 1, 77) == [])
      #expect(try fixture.violations() == [])
      #expect(
        try fixture.number(
          "SELECT (SELECT sum(counted)::bigint FROM camera_health) + (SELECT counted FROM camera_overflow)"
        ) == fixture.fates().counted
      )
    }
  }

  @Test("with a limit of 0 no camera gets a row, and nothing is lost")
  func off() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      _ = try apply(fixture, batch(fixture, claim, [Sent(oid: 1), Sent(oid: 2, camera: 3)]))
      try fold(fixture, limit: 0)
      #expect(try fixture.number("SELECT count(*) FROM camera_health") == 0)
      #expect(try folded(fixture) == [0, 2, 0])
    }
  }

  @Test("a batch with more cameras than it counters by themselves counts the others in the common row")
  func crowdedBatch() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      var crowded = fixture.batch(claim, (0..<10).map { Sent(oid: $0, camera: $0).seen })
      crowded.cameras = CameraCounterTable(limit: 4)
      for index in crowded.detections.indices {
        let key = CameraKey(location: 1, camera: crowded.detections[index].oid)
        crowded.detections[index].camera = crowded.cameras.recordArrival(key, skew: 1)
      }
      _ = try apply(fixture, crowded)
      #expect(try fixture.number("SELECT count(*) FROM camera_health") == 4)
      #expect(try folded(fixture) == [0, 6, 0])
      try fold(fixture)
      #expect(try folded(fixture) == [4, 6, 4])
    }
  }

  @Test("two workers with the same cameras in opposite order neither deadlock nor lose a count")
  func twoWorkers() throws {
    try CountStoreFixture.with { fixture throws in
      let url = fixture.url
      let workers = ([0, 1] as [Int64]).map { (number: Int64) in
        Background { () throws -> Int in
          let other = try CountStoreFixture(url: url)
          guard var claim = try other.claim(Int32(number)) else { return 0 }
          for round in 0..<20 as Range<Int64> {
            let sent = (0..<300).map { (step: Int64) -> Sent in
              let place: Int64 = number == 0 ? step : 299 - step
              let oid: Int64 = round * 300 + place
              // Half of the identifiers are the other worker's, too.
              return Sent(oid: place % 2 == 0 ? oid : (number + 1) * 100_000 + oid, camera: place)
            }
            claim = try self.apply(other, self.batch(other, claim, sent))
            _ = try other.store.foldCameraChanges(limit: 200, olderThanSeconds: 0)
          }
          return 20 * 300
        }
      }
      var messages = 0
      for worker in workers { messages += try worker.value(within: 60) }
      #expect(messages == 12_000)
      try fold(fixture, limit: 200)
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
      let batch = batch(fixture, claim, [Sent(oid: 1)])
      _ = try fixture.claim(mayTake: true)
      let ids = try fixture.store.internItems(batch.newItems.map(\.name))
      let outcome = try fixture.store.apply(batch, itemIDs: ids, path: .optimistic)
      #expect(outcome == .fenced([claim.key]))
      #expect(try counters(fixture, 1, 10) == [])
      #expect(try fixture.number("SELECT count(*) FROM camera_change") == 0)
    }
  }

  @Test("changes are folded once they are old enough, each once, and the view is exact all along")
  func folds() throws {
    try CountStoreFixture.with { fixture throws in
      var claim = try #require(try fixture.claim())
      func changes() throws -> Int64 { try fixture.number("SELECT count(*) FROM camera_change") }
      for oid in 1...5 as ClosedRange<Int64> {
        claim = try apply(fixture, batch(fixture, claim, [Sent(oid: oid, at: oid == 3 ? 30 : oid)]))
        #expect(try changes() == oid && counters(fixture, 1, 10) == [oid, 0, 0])
      }
      #expect(try fixture.store.foldCameraChanges(limit: 10) == 0, "the oldest is too young")
      #expect(try fixture.store.foldCameraChanges(limit: 10, olderThanSeconds: 0, size: 2) == 2)
      #expect(try changes() == 3 && folded(fixture) == [2, 0, 1] && counters(fixture, 1, 10) == [5, 0, 0])
      #expect(try fixture.store.foldCameraChanges(limit: 10, olderThanSeconds: 0) == 3)
      #expect(try fixture.store.foldCameraChanges(limit: 10, olderThanSeconds: 0) == 0)
      #expect(try changes() == 0 && folded(fixture) == [5, 0, 1] && counters(fixture, 1, 10) == [5, 0, 0])
      let skews = try fixture.connection.execute("SELECT largest_skew_us, latest_skew_us FROM camera_health")
      #expect(try skews.int64(0, 0) == 30 - 1000 && skews.int64(0, 1) == 5 - 1000)
    }
  }

  @Test("a fold leaves what another session holds, and takes what was committed out of order")
  func sessions() throws {
    try CountStoreFixture.with { fixture throws in
      var claim = try #require(try fixture.claim())
      for oid in 1...3 as ClosedRange<Int64> {
        claim = try apply(fixture, batch(fixture, claim, [Sent(oid: oid)]))
      }
      // A worker of an older release folds its own changes: it locks them first.
      let older = try CountStoreFixture.connect(fixture.url)
      try older.begin()
      _ = try older.execute("SELECT FROM camera_change ORDER BY change_id LIMIT 1 FOR UPDATE")
      #expect(try fixture.store.foldCameraChanges(limit: 10, olderThanSeconds: 0) == 2)
      #expect(try counters(fixture, 1, 10) == [3, 0, 0])
      // Its transaction ends only now: the number of its change is lower than those that are folded.
      older.rollback()
      #expect(try fixture.store.foldCameraChanges(limit: 10, olderThanSeconds: 0) == 1)
      #expect(try folded(fixture) == [3, 0, 1])

      // While one session folds, another does not.
      try older.begin()
      _ = try older.execute("SELECT pg_advisory_xact_lock(\(0x746f_7069_0010 as Int64))")
      claim = try apply(fixture, batch(fixture, claim, [Sent(oid: 4)]))
      #expect(try fixture.store.foldCameraChanges(limit: 10, olderThanSeconds: 0) == 0)
      older.rollback()
      #expect(try fixture.store.foldCameraChanges(limit: 10, olderThanSeconds: 0) == 1)
      #expect(try folded(fixture) == [4, 0, 1])
    }
  }

  @Test("a fold that fails has folded nothing", arguments: ["camera_tally", "camera_overflow"])
  func failedFold(table: String) throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      _ = try apply(fixture, batch(fixture, claim, [Sent(oid: 1), Sent(oid: 2, camera: 11)]))
      try fixture.connection.run(
        script: """
          CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '53100'; END $$;
          CREATE TRIGGER refuse AFTER INSERT ON \(table) FOR EACH STATEMENT EXECUTE FUNCTION refuse();
          """
      )
      #expect(throws: PostgresError.self) {
        try fixture.store.foldCameraChanges(limit: 1, olderThanSeconds: 0)
      }
      #expect(try folded(fixture) == [0, 0, 0] && counters(fixture, 1, 10) == [1, 0, 0])
      try fixture.connection.run(script: "DROP TRIGGER refuse ON \(table)")
      try fold(fixture, limit: 1)
      #expect(try folded(fixture) == [1, 1, 1])
    }
  }

  @Test("replayed and released events count for their cameras")
  func readmitted() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      let after = try fixture.insertDeadLetters([Sent(oid: 1).payload(fixture.origin)], claim)
      try fixture.quarantine([Sent(oid: 2), Sent(oid: 1, item: "other")], .future, after)
      _ = try fixture.replay()
      _ = try fixture.release()
      #expect(try counters(fixture, 1, 10) == [2, 1, 1])
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
