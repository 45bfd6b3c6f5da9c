import Counting
import Kafka
import Threading
import Postgres
import TestSupport
import Testing

@testable import CountStore
@testable import Ingestion

@Suite("a wrong clock on the database's host")
struct FastClockTests {
  private typealias F = RollupFixture

  /// What a wrong clock must not change. Floor and marks may follow the clock that is right.
  private static func state(_ fixture: F) throws -> [String] {
    let now = HostClock.system.wall()
    let result = try fixture.connection.execute(
      """
      SELECT 'floor in reach ' || (floor_at < \(timestamp: now - 6 * F.day)) || ' purged ' || coalesce(purged_until::text, 'never')
      FROM dedup_floor
      UNION ALL
      SELECT 'mark in reach ' || level || ' ' || (level = 'minute' OR folding_until <= \(timestamp: now)) || ' '
             || (kept_from < \(timestamp: now - 6 * F.day))
      FROM rollup_mark
      UNION ALL SELECT 'keys ' || count(*) FROM detection
      UNION ALL SELECT 'quarantine ' || count(*) FROM quarantine
      UNION ALL SELECT 'dead letters ' || count(*) FROM dead_letter
      UNION ALL SELECT 'partitions ' || count(*) FROM pg_inherits JOIN pg_class ON oid = inhrelid,
        LATERAL (SELECT substring(pg_get_expr(relpartbound, oid) FROM 'FROM \\(''([^'']*)''')::timestamptz,
                        substring(pg_get_expr(relpartbound, oid) FROM 'TO \\(''([^'']*)''')::timestamptz) AS bound(start, stop)
        WHERE start < \(timestamp: fixture.base.origin + 2 * F.day) AND stop > \(timestamp: fixture.base.origin - 6 * F.day)
      """
    )
    return try (0..<result.count).map { try result.string($0, 0) }.sorted()
  }

  /// A worker's background work, and what it says of the clock.
  private final class Worker: Sendable {
    private let reported = Lock<[ClockCheck]>([])
    private let errors = Lock<[String]>([])
    private let maintenance: Maintenance

    init(_ url: String, host: HostClock = .system, broker: BrokerTime? = nil) {
      var options = IngestionOptions(
        database: ConnectionOptions(url: url),
        topics: ["unused"],
        kafka: Configuration(brokers: "127.0.0.1:1")
      )
      options.retention.lengths[.deadLetters] = .seconds(86_400)
      options.retention.lengths[.quarantine] = .seconds(86_400)
      // Captured without `self`, which is not whole yet.
      let observations = Lock<(@Sendable (IngestionObservation) -> Void)?>(nil)
      maintenance = Maintenance(
        options,
        clocks: WorkerClocks(host: host, broker: { broker }),
        isStopping: { false },
        observe: { observation in observations.withLock { $0 }?(observation) }
      )
      observations.withLock { $0 = { [weak self] observation in self?.observe(observation) } }
      maintenance.start()
    }

    private func observe(_ observation: IngestionObservation) {
      switch observation {
      case .clock(let check): reported.withLock { $0.append(check) }
      case .maintenanceFailed(let error): errors.withLock { $0.append("\(error)") }
      default: break
      }
    }

    var last: ClockCheck? { reported.withLock { $0.last } }
    var failures: [String] { errors.withLock { $0 } }

    func waitUntil(agrees: Bool) throws {
      try TestSupport.waitUntil(
        "the worker \(agrees ? "agrees" : "disagrees") with the clock",
        within: .seconds(60)
      ) {
        last.map { ($0.agreed != nil) == agrees } ?? false
      }
    }

    func stop() { #expect(maintenance.stop(waiting: 30_000)) }
  }

  @Test(
    "a clock that jumps by days, ahead or back, moves, drops, deletes and releases nothing; counting goes on",
    arguments: [40, -40, 4000]
  )
  func jump(days: Int) throws {
    let cluster = try PostgresCluster(fsync: false, hasSettableClock: true)
    let fixture = try RollupFixture(url: cluster.url(), horizonDays: 7)
    let now = fixture.base.origin
    try fixture.count((0..<60).map { (1, "item \($0 % 3)", now - Int64($0) * 2 * F.hour) })
    try fixture.connection.run(
      script: """
        UPDATE detection SET ingested_at = detected_at;
        INSERT INTO dead_letter VALUES ('t', 0, 0, 'empty', NULL, '', 0, NULL, now());
        INSERT INTO quarantine VALUES ('t', 0, 0, 'future', 77, 1, 1, 'a', now() + interval '10 days', now());
        """
    )
    var retention = Retention(RetentionPolicy())
    _ = try retention.run(on: fixture.connection, at: fixture.now())
    let worker = Worker(fixture.base.url)
    try worker.waitUntil(agrees: true)
    let before = try Self.state(fixture)
    #expect(!before.contains { $0.contains("false") }, "\(before)")

    try cluster.setClock(ahead: days * 86_400)
    let real = HostClock.system.wall()
    let shown = try fixture.connection.execute("SELECT clock_timestamp()").timestamp(0, 0)
    #expect(abs(shown - real) > 39 * F.day)
    // The one that has seen it jump, one that starts on this machine now, and one on another.
    try worker.waitUntil(agrees: false)
    let restarted = Worker(fixture.base.url)
    let elsewhere = Worker(
      fixture.base.url,
      host: HostClock(id: "elsewhere", wall: HostClock.system.wall, monotonic: { 5 })
    )
    for other in [restarted, elsewhere] {
      try other.waitUntil(agrees: false)
      other.stop()
    }
    let complaint = try #require(worker.last?.complaint)
    #expect(complaint.contains("days \(days > 0 ? "ahead of" : "behind")"), "\(complaint)")
    #expect(complaint.contains("nothing is folded, dropped or purged"), "\(complaint)")
    try fixture.count([(1, "meanwhile", now), (2, "meanwhile", now + F.minute)])
    #expect(try fixture.base.claim(7) != nil, "a rebalance meanwhile")
    #expect(try fixture.base.number("SELECT count(*) FROM detection") == 62)
    let after = try Self.state(fixture)
    #expect(after.filter { !$0.hasPrefix("keys") } == before.filter { !$0.hasPrefix("keys") })

    try cluster.setClock(ahead: 0)
    try worker.waitUntil(agrees: true)
    worker.stop()
    #expect(worker.failures + restarted.failures + elsewhere.failures == [])
    _ = try retention.run(on: fixture.connection, at: fixture.now())
    try fixture.count([(1, "after", now + 2 * F.minute)])
    try fixture.compare(.between(nil, nil), location: nil)
    try fixture.compare(.between(Timestamp(microseconds: now - F.day), nil), location: 1)
  }

  @Test("a worker whose wall clock is wrong believes the brokers, where their times are the log's")
  func broker() throws {
    try CountStoreFixture.with { fixture throws in
      let wrong = HostClock(id: "wrong", wall: { 0 }, monotonic: { 1_000_000 })
      #expect(try fixture.store.checkClock(wrong).agreed == nil)
      let now = try fixture.connection.execute("SELECT clock_timestamp()").timestamp(0, 0)
      let broker = BrokerTime(appended: Timestamp(microseconds: now - 1_000_000), monotonic: 0)
      #expect(try fixture.store.checkClock(wrong, broker: broker).agreed?.source == .broker)
      // From then on the monotonic clock links.
      #expect(try fixture.store.checkClock(wrong).agreed?.source == .monotonic)
    }
  }

  @Test("an operator's word makes an agreement that lasts, and forgets the others")
  func byHand() throws {
    try CountStoreFixture.with { fixture throws in
      let wrong = HostClock(id: "wrong", wall: { 0 }, monotonic: { 1_000_000 })
      #expect(try fixture.store.checkClock().agreed?.source == .wallClock)
      #expect(try fixture.store.checkClock().agreed?.source == .monotonic)
      #expect(try fixture.store.checkClock(wrong).agreed == nil)
      #expect(try fixture.store.believeClock(wrong).source == .operatorsWord)
      #expect(try fixture.store.checkClock(wrong).agreed?.source == .monotonic)
      #expect(try fixture.store.checkClock().agreed?.source == .wallClock)
    }
  }
}
