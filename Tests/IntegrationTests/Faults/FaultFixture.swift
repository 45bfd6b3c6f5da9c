import CountStore
import Counting
import Foundation
import Ingestion
import Kafka
import Postgres
import TestSupport
import Testing

/// What can go wrong around a worker, injected; docs/faults.md has the list.
@Suite("Faults") enum Faults {}

/// They wait more than they work, but two cores do not carry all of them at once.
private let fewAtATime = DispatchSemaphore(value: 8)

/// Runs a test's blocking work on a thread of its own: these tests wait a lot, and other tests share few threads.
///
/// Expectations on such a thread belong to no test, so that they are collected, and expected here.
func onOwnThread(
  sourceLocation: SourceLocation = #_sourceLocation,
  _ body: @escaping @Sendable (Findings) throws -> Void
) async throws {
  let findings = Findings()
  try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
    Thread.detachNewThread {
      fewAtATime.wait()
      defer { fewAtATime.signal() }
      continuation.resume(with: Result { try body(findings) })
    }
  }
  let all = Comment(rawValue: findings.all.joined(separator: "\n"))
  let isAsExpected = findings.all.isEmpty
  #expect(isAsExpected, all, sourceLocation: sourceLocation)
}

/// What was not as expected.
final class Findings: Sendable {
  private let collected = Collected<String>()
  var all: [String] { collected.all }

  func expect(_ isTrue: Bool, _ otherwise: @autoclosure () -> String, line: Int = #line) {
    if !isTrue { collected.append("line \(line): \(otherwise())") }
  }

  func expectNone(_ violations: [String], _ about: @autoclosure () -> String = "", line: Int = #line) {
    if !violations.isEmpty {
      collected.append("line \(line): \(violations.joined(separator: "\n  "))\(about())")
    }
  }
}

/// A database, a topic, what was sent to it, and workers in this process.
final class FaultFixture {
  let database: String
  let brokers: String
  let topic: String
  let partitions: Int32
  private(set) var recount = Recount()
  private(set) var sent: Int64 = 0
  private var random = SeededGenerator(seed: 7)
  private var events: [[UInt8]] = []
  private let origin = Int64(Date().timeIntervalSince1970) - 600
  private var producer: Producer?
  private var looker: Connection?
  let group = Broker.uniqueTopic("group")

  /// - Parameters:
  ///   - database: an empty one, which is migrated.
  ///   - brokers: where the topic is made, unless `topic` names one that is there.
  init(database: String, broker: Broker, partitions: Int32 = 2) throws {
    self.database = database
    brokers = broker.address
    self.partitions = partitions
    topic = try broker.createTopic(Broker.uniqueTopic("fault"), partitions: Int(partitions))
    _ = try CountStore(connect()).migrate()
  }

  init(database: String, brokers: String, topic: String, partitions: Int32) throws {
    self.database = database
    self.brokers = brokers
    self.topic = topic
    self.partitions = partitions
    _ = try CountStore(connect()).migrate()
  }

  deinit { producer?.close(timeout: 1000) }

  /// On the shared services.
  static func with(partitions: Int32 = 2, _ body: (FaultFixture) throws -> Void) throws {
    try TestDatabase.withDatabase { url in
      try body(FaultFixture(database: url, broker: Broker.running(), partitions: partitions))
    }
  }

  /// On librdkafka's mock cluster.
  static func withMock(
    brokers: Int = 1,
    partitions: Int32 = 2,
    _ body: (FaultFixture, MockCluster) throws -> Void
  ) throws {
    try TestDatabase.withDatabase { url in
      let cluster = try MockCluster(brokers: brokers)
      let topic = Broker.uniqueTopic("fault")
      try cluster.createTopic(topic, partitions: partitions, replicas: Int32(brokers))
      let fixture = try FaultFixture(
        database: url,
        brokers: cluster.address,
        topic: topic,
        partitions: partitions
      )
      try body(fixture, cluster)
      withExtendedLifetime(cluster) {}
    }
  }

  func connect() throws -> Connection {
    var options = ConnectionOptions(url: database)
    options.settings = [(name: "statement_timeout", value: "30s")]
    return try Connection(options)
  }

  /// The settings of a worker, with times fit for tests.
  func options(database url: String? = nil, brokers: String? = nil) -> IngestionOptions {
    var kafka = Configuration(brokers: brokers ?? self.brokers)
    kafka["group.id"] = group
    // Tansu delays a group's first assignment by half of it.
    kafka["session.timeout.ms"] = "2500"
    kafka["heartbeat.interval.ms"] = "500"
    // A request to join the group that a stand-in for Kafka never answers is given up 3 s after this time, and sent
    // again.
    kafka["max.poll.interval.ms"] = "10000"
    kafka["socket.timeout.ms"] = "3000"
    kafka["reconnect.backoff.max.ms"] = "500"
    kafka.tellOfTheGroup()
    var database = ConnectionOptions(url: url ?? self.database)
    database.applicationName = "topitems ingest"
    database.settings = [
      ("statement_timeout", "4s"), ("lock_timeout", "2s"), ("idle_in_transaction_session_timeout", "4s"),
    ]
    var options = IngestionOptions(database: database, topics: [topic], kafka: kafka)
    options.database.answerTimeout = 6
    options.rememberedDetections = 10_000
    return options
  }

  // MARK: What is sent

  /// A message, counted in the truth.
  ///
  /// - Parameters:
  ///   - padding: makes it longer, without any meaning.
  ///   - isCounted: whether it is in the truth.
  func event(isDuplicate: Bool = false, item: String? = nil, padding: String? = nil, isCounted: Bool = true)
    -> [UInt8]
  {
    if isDuplicate, let repeated = events.randomElement(using: &random) { return repeated }
    let oid = Int64.random(in: 1 ... .max, using: &random)
    let at = origin + Int64.random(in: 0..<300, using: &random)
    let location = Int64.random(in: 1...5, using: &random)
    let item = item ?? "item \(Int.random(in: 0..<20, using: &random))"
    if isCounted { recount.count(oid: oid, location: location, detectedAt: at * 1_000_000, item: item) }
    let event = Array(
      (#"{"geographical_location_oid":\#(location),"video_camera_oid":1,"item_name":"\#(item)","#
        + #""detection_oid":\#(oid),"timestamp_detected":\#(at)\#(padding.map { #","padding":"\#($0)""# } ?? "")}"#)
        .utf8
    )
    if isCounted { events.append(event) }
    return event
  }

  /// Sends that many events, a share of them repeats, to all partitions, and waits for their delivery.
  func send(_ count: Int, duplicates: Double = 0.1) throws {
    for _ in 0..<count {
      let isDuplicate = Double.random(in: 0..<1, using: &random) < duplicates
      try send(event(isDuplicate: isDuplicate), partition: Int32.random(in: 0..<partitions, using: &random))
    }
    try flush()
  }

  /// Sends any bytes; `flush` waits for their delivery.
  func send(_ payload: [UInt8]?, partition: Int32 = 0) throws {
    let producer = try producer ?? Producer(producerConfiguration())
    self.producer = producer
    if let payload {
      try payload.withUnsafeBytes {
        try producer.produce(topic: topic, partition: partition, payload: $0)
      }
    } else {
      try producer.produce(topic: topic, partition: partition, payload: nil)
    }
    sent += 1
  }

  /// Messages that were sent by other means.
  func recordSent(_ count: Int64) { sent += count }

  func flush() throws {
    guard let producer else { return }
    try producer.deliver()
    guard producer.deliveryFailures == 0 else {
      throw TestSupportError("not delivered: \(String(describing: producer.firstDeliveryFailure))")
    }
  }

  func producerConfiguration() -> Configuration {
    var configuration = Configuration(brokers: brokers)
    configuration["linger.ms"] = "5"
    configuration["reconnect.backoff.max.ms"] = "500"
    configuration["message.max.bytes"] = "100000000"
    return configuration
  }

  // MARK: What was counted

  /// The messages that are accounted for.
  func accountedFor(_ connection: Connection) throws -> Int64 {
    try connection.execute("SELECT coalesce(sum(next_offset), 0)::bigint FROM ingest_offset").int64(0, 0)
  }

  /// Waits until everything that was sent is accounted for, as long as that grows or a worker gets on.
  func waitUntilCounted(within limit: Duration = .seconds(40), _ workers: FaultWorker...) throws {
    var connection: Connection?
    var reached: Int64 = 0
    do {
      try waitUntil(
        "all \(sent) messages are accounted for",
        within: limit,
        seen: { "\(reached) are\(workers.map { ", a worker at \($0.progress)" }.joined())" }
      ) {
        for worker in workers { try worker.requireRunning() }
        do {
          let open = try connection ?? connect()
          connection = open
          reached = try accountedFor(open)
        } catch {
          connection = nil  // PostgreSQL may be away
        }
        return reached >= sent
      }
    } catch {
      throw TestSupportError("\(error); \(reached) are\(workers.map(\.story).joined())")
    }
  }

  /// I1 to I5.
  func violations() throws -> [String] {
    try Invariants.violations(connect(), recount: recount)
  }

  /// Asks over a connection that is kept: tests ask again and again.
  func number(_ query: Query) throws -> Int64 {
    if let looker, let result = try? looker.execute(query) { return try result.optionalInt64(0, 0) ?? 0 }
    let connection = try connect()
    looker = connection
    return try connection.execute(query).optionalInt64(0, 0) ?? 0
  }

  /// Ends the workers' sessions with PostgreSQL.
  /// - Returns: how many there were.
  @discardableResult
  func endSessions() throws -> Int64 {
    try number(
      """
      SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
      WHERE application_name = 'topitems ingest' AND datname = current_database()
      """
    )
  }
}

/// A worker on a thread of its own, and its observations.
final class FaultWorker: Sendable {
  private let stopping = Flag()
  private let observations = ReportedByWorker()
  private let running: Background<FateCounts>

  init(_ options: IngestionOptions) {
    let (stopping, observations) = (stopping, observations)
    running = Background {
      let worker = IngestionWorker(
        options,
        isStopping: { stopping.isSet },
        observe: { observations.append($0) }
      )
      return try worker.run()
    }
  }

  deinit { stopping.set() }

  var reported: [IngestionObservation] { observations.all }

  var isDone: Bool { running.isDone }

  /// Fails with the worker's error when it has ended.
  func requireRunning() throws {
    if running.isDone { throw TestSupportError("the worker has ended: \(try running.value())\(story)") }
  }

  /// Ends it in good order.
  @discardableResult
  func stop(within seconds: Double = 10) throws -> FateCounts {
    stopping.set()
    return try value(within: seconds)
  }

  /// Waits for its own end, as long as it gets on.
  func value(within seconds: Double = 30) throws -> FateCounts {
    do {
      return try running.value(within: seconds) { progress }
    } catch let error as TestSupportError {
      throw TestSupportError("\(error)\(story)")
    }
  }

  /// Waits for something, as long as the worker gets on or what is `seen` changes.
  func wait(
    _ what: String,
    within limit: Duration = .seconds(20),
    seen: () throws -> String = { "" },
    _ condition: (FaultWorker) throws -> Bool
  ) throws {
    do {
      try waitUntil(what, within: limit, seen: { "\(try seen()) \(progress)" }) {
        if try condition(self) { return true }
        try requireRunning()
        return false
      }
    } catch {
      throw TestSupportError("\(error)\(story)")
    }
  }

  /// How often it was given partitions by the group.
  var assignments: Int { reported.count { if case .assigned = $0 { true } else { false } } }
  var commits: Int { reported.count { if case .committed = $0 { true } else { false } } }
  var retries: [PostgresError] {
    reported.compactMap { if case .retrying(let error, _) = $0 { error } else { nil } }
  }
  var halts: [(PartitionKey, String)] {
    reported.compactMap { if case .halted(let key, let reason) = $0 { (key, reason) } else { nil } }
  }
  var claims: [[PartitionClaim]] {
    reported.compactMap { if case .claimed(let claims) = $0 { claims } else { nil } }
  }
  var endedBlockers: [Int32] {
    reported.flatMap { observation -> [Int32] in
      if case .endedBlockers(let pids) = observation { pids } else { [] }
    }
  }

  var story: String { observations.story }
  /// Changes with each step that it gets on.
  var progress: String { observations.progress }
}
