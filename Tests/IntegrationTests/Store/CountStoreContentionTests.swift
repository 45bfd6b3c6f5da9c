import CountStore
import Counting
import Glibc
import Postgres
import TestSupport
import Testing

@Suite("several writers, and lost connections")
struct CountStoreContentionTests {
  typealias Seen = CountStoreFixture.Seen

  @Test(
    "writers with opposite orders of keys, hot counts and shared detections do not deadlock, and lose nothing"
  )
  func oppositeOrders() throws {
    try CountStoreFixture.with { fixture throws in
      let writers = 3
      let batches = 12
      // Every writer has the same detections, in its own order; so each is met by all of them at about the same time.
      let all = (0..<2400).map { Seen(oid: Int64($0), location: Int64($0 % 7), item: "item \($0 % 11)") }
      let url = fixture.url
      let origin = fixture.origin
      let work = (0..<writers).map { writer in
        Background { [all] in
          let own = try CountStoreFixture(url: url)
          precondition(own.origin - origin <= 3_600_000_000)
          var claim = try #require(try own.claim(Int32(writer)))
          let mine = writer % 2 == 0 ? all : all.reversed()
          var careful = 0
          for number in 0..<batches {
            let slice = mine[number * 200..<(number + 1) * 200].map { seen in
              var seen = seen
              seen.at += origin - own.origin
              return seen
            }
            let batch = own.batch(claim, slice)
            let outcome = try own.apply(batch, path: writer == 2 ? .careful : .optimistic)
            #expect(outcome.isCommitted)
            if outcome.usedCarefulPath == true { careful += 1 }
            claim = own.after(batch)
          }
          return careful
        }
      }
      for writer in work { #expect(try writer.value(within: 60) >= 0) }
      #expect(
        try fixture.number("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
      )
      #expect(try fixture.number("SELECT sum(duplicates)::bigint FROM ingest_offset") == 4800)
      #expect(try fixture.violations(all) == [])
    }
  }

  @Test("new item names that several workers meet in opposite orders get one id each, without a deadlock")
  func itemsInOppositeOrders() throws {
    try CountStoreFixture.with { fixture throws in
      let url = fixture.url
      let names = (0..<500).map { Array("item \($0)".utf8) }
      let work = (0..<4).map { worker in
        Background { [names] in
          let connection = try CountStoreFixture.connect(url)
          let mine = worker % 2 == 0 ? names : names.reversed()
          let ids = try CountStore(connection).internItems(mine)
          return worker % 2 == 0 ? ids : ids.reversed()
        }
      }
      let ids = try work.map { try $0.value() }
      #expect(Set(ids).count == 1)
      #expect(Set(ids[0]).count == 500)
      #expect(try fixture.number("SELECT count(*) FROM item") == 500)
    }
  }

  @Test("a backend that ends during COMMIT has written nothing, which the next claim shows")
  func endsDuringCommit() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      try fixture.connection.run(
        script: """
          CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
          CREATE CONSTRAINT TRIGGER die AFTER INSERT ON revision DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION die();
          """
      )
      let error = #expect(throws: PostgresError.self) {
        try fixture.apply(fixture.batch(claim, [Seen(oid: 1)]))
      }
      #expect(error?.kind == .commitUnknown)
      let other = try CountStoreFixture.connect(fixture.url)
      try other.run(script: "DROP TRIGGER die ON revision")
      let again = try #require(try fixture.claim(held: claim.epoch, mayTake: false, on: other))
      #expect(again == claim, "nothing was stored, and the epoch is still ours")
      #expect(try fixture.apply(fixture.batch(again, [Seen(oid: 1)]), on: other).isCommitted)
      #expect(try Invariants.violations(other, recount: fixture.recount([Seen(oid: 1)])) == [])
    }
  }

  @Test(
    "a commit that got through before its connection was lost is found by the next claim, which waits for it"
  )
  func commitsAndIsLost() throws {
    // Waiting for a standby that never comes holds a COMMIT up after it is on disk.
    let cluster = try PostgresCluster(fsync: false, settings: ["synchronous_standby_names": "'absent'"])
    defer { cluster.remove() }
    let alone = [(name: "synchronous_commit", value: "local")]
    let fixture = try CountStoreFixture(url: cluster.url(), settings: alone)
    let claim = try #require(try fixture.claim())
    let (url, origin) = (fixture.url, fixture.origin)
    let writing = Background {
      let writer = try CountStoreFixture(url: url, settings: alone)
      try writer.connection.run(script: "SET synchronous_commit = on")
      _ = try writer.store.internItems([Array("box".utf8)])
      return Result { try writer.apply(writer.batch(claim, [Seen(oid: 1, at: origin - writer.origin)])) }
        .mapError { $0 as? PostgresError ?? PostgresError(.protocol, "\($0)") }
    }
    // The item's commit does not wait.
    try waitUntil("the batch's commit waits") {
      try fixture.connection.execute(
        "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query = 'COMMIT'"
      ).count == 1
    }
    let claiming = Background {
      let other = try CountStoreFixture.connect(url, alone)
      let request = ClaimRequest(key: claim.key, heldEpoch: claim.epoch, mayTake: false, lowWatermark: 0)
      return try CountStore(other).claim([request], dedupHorizonSeconds: 60).claims
    }
    try waitUntil("the claim waits for the commit in doubt") {
      try fixture.connection.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'").count
        == 1
    }
    #expect(!claiming.isDone)
    #expect(
      try fixture.number("SELECT next_offset FROM ingest_offset") == 0,
      "a plain read sees the old value"
    )
    try fixture.connection.run(
      script: "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    )
    guard case .failure(let error) = try writing.value() else {
      Issue.record("the commit was reported as done")
      return
    }
    #expect(error.kind == .commitUnknown)
    #expect(try claiming.value() == [PartitionClaim(key: claim.key, epoch: claim.epoch, nextOffset: 1)])
    #expect(try fixture.violations([Seen(oid: 1)]) == [])
  }

  @Test("a backend that is terminated anywhere in a batch leaves all of it or nothing", arguments: 0..<8)
  func terminatedAnywhere(round: Int) throws {
    try CountStoreFixture.with { fixture throws in
      var claim = try #require(try fixture.claim())
      let watch = InvariantWatch(url: fixture.url)
      let all = (0..<4000).map { Seen(oid: Int64($0), location: Int64($0 % 13), item: "item \($0 % 17)") }
      let url = fixture.url
      let isDone = Flag()
      let killer = Background {
        let connection = try CountStoreFixture.connect(url)
        var killed: Int64 = 0
        while !isDone.isSet {
          killed += try connection.execute(
            """
            SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'writer' AND state <> 'idle'
            """
          ).int64(0, 0)
          usleep(UInt32.random(in: 0...60_000))
        }
        return killed
      }
      var writer: Connection?
      var failures = 0
      while claim.nextOffset < 4000 {
        do {
          if writer?.isUsable != true {
            writer = try CountStoreFixture.connect(url, [(name: "application_name", value: "writer")])
            claim = try #require(try fixture.claim(held: claim.epoch, mayTake: false, on: writer))
          }
          let end = min(4000, Int(claim.nextOffset) + 100)
          let batch = fixture.batch(claim, Array(all[Int(claim.nextOffset)..<end]))
          if try fixture.apply(batch, path: round % 2 == 0 ? .optimistic : .careful, on: writer).isCommitted {
            claim = fixture.after(batch)
          } else {
            writer = nil
          }
        } catch is PostgresError {
          writer = nil
          failures += 1
          try #require(failures < 5000)
        }
      }
      isDone.set()
      _ = try killer.value()
      #expect(try watch.stop() == [])
      #expect(try fixture.violations(all) == [])
      #expect(try fixture.number("SELECT duplicates FROM ingest_offset") == 0)
    }
  }
}
