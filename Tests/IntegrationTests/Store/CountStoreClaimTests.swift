import CountStore
import Counting
import Postgres
import TestSupport
import Testing

@Suite("claims on partitions")
struct CountStoreClaimTests {
  @Test("the first claim begins at the log's start, with epoch 1, and stores the floor once")
  func first() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try fixture.claim(low: 17)
      #expect(claim == PartitionClaim(key: CountStoreFixture.key(0), epoch: 1, nextOffset: 17))
      let floor = try fixture.connection.execute("SELECT floor_at FROM dedup_floor").timestamp(0, 0)
      _ = try fixture.claim(1)
      #expect(try fixture.connection.execute("SELECT floor_at FROM dedup_floor").timestamp(0, 0) == floor)
      #expect(try fixture.number("SELECT count(*) FROM offset_gap") == 0, "nothing was lost")
    }
  }

  @Test(
    "a taking raises the epoch; a claim that is still held keeps it; a lost one is refused without the right"
  )
  func epochs() throws {
    try CountStoreFixture.with { fixture throws in
      let first = try #require(try fixture.claim())
      let kept = try #require(try fixture.claim(held: first.epoch, mayTake: false))
      #expect(kept == first)
      let taken = try #require(try fixture.claim())
      #expect(taken.epoch == first.epoch + 1)
      #expect(try fixture.claim(held: first.epoch, mayTake: false) == nil)
      #expect(try fixture.claim(held: taken.epoch, mayTake: false) == taken, "a refusal changes nothing")
      #expect(try fixture.claim(held: first.epoch, mayTake: true)?.epoch == taken.epoch + 1)
    }
  }

  @Test("several partitions are claimed at once, and the refused one is missing from the response")
  func several() throws {
    try CountStoreFixture.with { fixture throws in
      _ = try fixture.claim(1)
      let requests = [3, 1, 2].map {
        ClaimRequest(key: CountStoreFixture.key($0), heldEpoch: nil, mayTake: $0 != 1, lowWatermark: 5)
      }
      let claims = try fixture.store.claim(requests, dedupHorizonSeconds: 60).claims
      #expect(Set(claims.map(\.key.partition)) == [2, 3])
    }
  }

  @Test("offsets that Kafka has deleted are recorded as a gap, once, and passed over; counts go on behind it")
  func gap() throws {
    try CountStoreFixture.with { fixture throws in
      var claim = try #require(try fixture.claim())
      let before = fixture.batch(claim, [.init(oid: 1), .init(oid: 2)])
      #expect(try fixture.apply(before).isCommitted)
      claim = try #require(try fixture.claim(held: 1, mayTake: false, low: 10))
      #expect(claim.gap == 2..<10)
      #expect(claim.nextOffset == 10)
      #expect(claim.epoch == 1)
      #expect(try fixture.claim(held: 1, mayTake: false, low: 10)?.gap == nil)
      #expect(try fixture.number("SELECT count(*) FROM offset_gap") == 1)
      #expect(try fixture.apply(fixture.batch(claim, [.init(oid: 3)])).isCommitted)
      #expect(try fixture.violations([.init(oid: 1), .init(oid: 2), .init(oid: 3)]) == [])
    }
  }

  @Test("what an earlier holder has in hand is void: a zombie writes nothing")
  func zombie() throws {
    try CountStoreFixture.with { fixture throws in
      let old = try #require(try fixture.claim())
      let new = try #require(try fixture.claim())
      let stale = fixture.batch(old, [.init(oid: 1)])
      #expect(try fixture.apply(stale) == .fenced([CountStoreFixture.key(0)]))
      #expect(try fixture.number("SELECT count(*) FROM detection") == 0)
      #expect(try fixture.number("SELECT count(*) FROM revision") == 0)
      #expect(try fixture.apply(fixture.batch(new, [.init(oid: 1)])).isCommitted)
      #expect(try fixture.violations([.init(oid: 1)]) == [])
    }
  }

  @Test("two workers that claim a new partition at the same moment get different epochs, over and over")
  func race() throws {
    try CountStoreFixture.with { fixture throws in
      let url = fixture.url
      for partition: Int32 in 0..<20 {
        let claims = (0..<3).map { _ in
          Background {
            let connection = try CountStoreFixture.connect(url)
            let request = ClaimRequest(
              key: CountStoreFixture.key(partition),
              heldEpoch: nil,
              mayTake: true,
              lowWatermark: 7
            )
            return try CountStore(connection).claim([request], dedupHorizonSeconds: 60).claims
          }
        }
        let granted = try claims.flatMap { try $0.value() }
        #expect(Set(granted.map(\.epoch)).count == 3)
        #expect(granted.allSatisfy { $0.nextOffset == 7 })
      }
    }
  }

  @Test("a claim waits for the batch that is under way, and sees its offset")
  func waits() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      let url = fixture.url
      try fixture.connection.begin()
      _ = try fixture.connection.execute(
        "UPDATE ingest_offset SET next_offset = 42 WHERE epoch = \(claim.epoch)"
      )
      let taking = Background {
        let connection = try CountStoreFixture.connect(url)
        let request = ClaimRequest(key: claim.key, heldEpoch: nil, mayTake: true, lowWatermark: 0)
        return try CountStore(connection).claim([request], dedupHorizonSeconds: 60).claims
      }
      let watcher = try CountStoreFixture.connect(url)
      try waitUntil("the claim waits for the row") {
        try watcher.execute(
          "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        .int64(0, 0) == 1
      }
      #expect(!taking.isDone)
      try fixture.connection.commit()
      #expect(try taking.value().first?.nextOffset == 42)
    }
  }
}
