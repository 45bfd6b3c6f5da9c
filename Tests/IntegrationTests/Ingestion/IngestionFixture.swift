import CountStore
import Counting
import Foundation
import Ingestion
import Kafka
import Threading
import Postgres
import TestSupport
import Testing

/// A migrated database, a topic of its own, and workers in this process.
final class IngestionFixture {
  let url: String
  let broker: Broker
  let topic: String
  let partitions: Int
  let connection: Connection
  /// Some minutes ago by the database's clock, at the beginning of a minute, in microseconds.
  let origin: Int64
  private(set) var recount = Recount()
  private let producer: Producer
  private let group = Broker.uniqueTopic("group")

  init(url: String, partitions: Int, topic: String = Broker.uniqueTopic(), migrate: Bool = true) throws {
    self.url = url
    self.partitions = partitions
    broker = try Broker.running()
    self.topic = try broker.createTopic(topic, partitions: partitions)
    connection = try CountStoreFixture.connect(url)
    if migrate { _ = try CountStore(connection).migrate() }
    let now = try connection.execute("SELECT clock_timestamp()").timestamp(0, 0)
    origin = (now / 60_000_000 - 10) * 60_000_000
    var configuration = Configuration(brokers: broker.address)
    configuration["linger.ms"] = "2"
    configuration["message.max.bytes"] = "8000000"
    producer = try Producer(configuration)
  }

  /// Runs the body on a thread that may be blocked: the few that tests share would be taken up by waiting.
  static func with<T: Sendable>(
    partitions: Int = 1,
    _ body: @escaping @Sendable (IngestionFixture) throws -> T
  ) async throws -> T {
    try await withTaskExecutorPreference(BlockingThreads.shared) {
      try TestDatabase.withDatabase { url in try body(IngestionFixture(url: url, partitions: partitions)) }
    }
  }

  // MARK: Messages

  func send(_ payload: [UInt8]?, partition: Int32 = 0, topic: String? = nil) throws {
    if let payload {
      try payload.withUnsafeBytes {
        // An empty array may have no address, and that would be a tombstone.
        let bytes = $0.isEmpty ? UnsafeRawBufferPointer(start: $0.baseAddress ?? Self.noBytes, count: 0) : $0
        try producer.produce(topic: topic ?? self.topic, partition: partition, payload: bytes)
      }
    } else {
      try producer.produce(topic: topic ?? self.topic, partition: partition, payload: nil)
    }
  }

  nonisolated(unsafe) private static let noBytes = UnsafeRawPointer(
    UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 1)
  )

  static func payload(oid: Int64, location: Int64, detectedAt: Int64, item: String) -> [UInt8] {
    var time: [UInt8] = []
    Timestamp(microseconds: detectedAt).appendRFC3339(to: &time)
    let name = item.replacingOccurrences(of: "\"", with: "\\\"")
    return Array(
      """
      {"geographical_location_oid":\(location),"video_camera_oid":1,"detection_oid":\(oid),\
      "item_name":"\(name)","timestamp_detected":"\(String(decoding: time, as: UTF8.self))"}
      """.utf8
    )
  }

  /// Sends a detection and counts it naively.
  func detect(
    _ oid: Int64,
    location: Int64 = 1,
    at: Int64 = 0,
    item: String = "box",
    partition: Int32 = 0,
    topic: String? = nil
  ) throws {
    try send(
      Self.payload(oid: oid, location: location, detectedAt: origin + at, item: item),
      partition: partition,
      topic: topic
    )
    recount.count(oid: oid, location: location, detectedAt: origin + at, item: item)
  }

  /// Many detections over all partitions.
  func detectMany(_ oids: Range<Int64>) throws {
    for oid in oids {
      try detect(
        oid,
        location: oid % 7,
        at: oid % 5 * 60_000_000,
        item: "item \(oid % 13)",
        partition: Int32(oid % Int64(partitions))
      )
    }
  }

  func flush() throws {
    try producer.deliver()
    #expect(producer.firstDeliveryFailure == nil)
  }

  // MARK: Workers

  func options(drain: Bool = false) -> IngestionOptions {
    var kafka = Configuration(brokers: broker.address)
    kafka["group.id"] = group
    kafka["session.timeout.ms"] = "6000"
    kafka.tellOfTheGroup()
    var database = ConnectionOptions(url: url)
    database.applicationName = "worker"
    database.settings = [(name: "statement_timeout", value: "30s"), (name: "lock_timeout", value: "10s")]
    var options = IngestionOptions(database: database, topics: [topic], kafka: kafka)
    options.drain = drain
    return options
  }

  func start(_ options: IngestionOptions) -> RunningWorker { RunningWorker(options) }

  /// Reads everything that was sent.
  @discardableResult
  func drain(_ change: (inout IngestionOptions) -> Void = { _ in }) throws -> RunningWorker {
    try flush()
    var options = options(drain: true)
    change(&options)
    let worker = RunningWorker(options)
    _ = try worker.fates(within: 90)
    return worker
  }

  // MARK: Looking

  func number(_ query: Query) throws -> Int64 { try connection.execute(query).optionalInt64(0, 0) ?? 0 }

  /// The offsets of all partitions together: how many messages are accounted for, in a log that begins at 0.
  func accounted() throws -> Int64 {
    try number("SELECT coalesce(sum(next_offset), 0)::bigint FROM ingest_offset")
  }

  func violations() throws -> [String] { try Invariants.violations(connection, recount: recount) }
}

/// A worker on a thread of its own, with its observations.
final class RunningWorker: Sendable {
  private let stopping = Flag()
  private let reported = ReportedByWorker()
  private let background: Background<FateCounts>

  init(_ options: IngestionOptions) {
    let (stopping, reported) = (stopping, reported)
    background = Background {
      let worker = IngestionWorker(
        options,
        isStopping: { stopping.isSet },
        observe: { reported.append($0) }
      )
      return try worker.run()
    }
  }

  /// A test that has failed leaves no worker behind, that would try to reach a database that is no more.
  deinit { stopping.set() }

  var observations: [IngestionObservation] { reported.all }

  /// Waits for something that it is to do; fails with what ended it.
  ///
  /// - Parameters:
  ///   - limit: how long neither the worker may get on nor what is `seen` may change.
  func wait(
    _ what: String,
    within limit: Duration = .seconds(30),
    seen: () throws -> String = { "" },
    _ condition: () throws -> Bool
  ) throws {
    do {
      try waitUntil(what, within: limit, seen: { "\(try seen()) \(reported.progress)" }) {
        try condition() || isDone
      }
    } catch {
      throw TestSupportError("\(error)\(reported.story)")
    }
    guard try !condition() else { return }
    _ = try fates(within: 1)
    throw TestSupportError("it has ended before: \(what)\(reported.story)")
  }

  var isDone: Bool { background.isDone }

  /// Waits until the worker ends by itself.
  func fates(within seconds: Double) throws -> FateCounts {
    do {
      return try background.value(within: seconds) { reported.progress }
    } catch {
      stopping.set()
      throw TestSupportError("\(error)\(reported.story)")
    }
  }

  /// What ended it.
  func error(within seconds: Double) throws -> (any Error)? {
    do {
      _ = try background.value(within: seconds) { reported.progress }
      return nil
    } catch let error as TestSupportError {
      stopping.set()
      throw TestSupportError("\(error)\(reported.story)")
    } catch {
      stopping.set()
      return error
    }
  }

  /// Asks it to stop and waits for its end.
  @discardableResult
  func stop() throws -> FateCounts {
    stopping.set()
    return try fates(within: 15)
  }

  var committedBatches: [BatchReport] {
    observations.compactMap { if case .committed(let report) = $0 { report } else { nil } }
  }

  var retries: [PostgresError] {
    observations.compactMap { if case .retrying(let error, _) = $0 { error } else { nil } }
  }

  var isReading: Bool {
    observations.contains { if case .claimed = $0 { true } else { false } }
  }

  /// Its state, by its last observation.
  var turn: WorkerTurn? {
    observations.reversed().lazy.compactMap { if case .turned(let turn) = $0 { turn } else { nil } }.first
  }

  var rejected: [Int64] {
    observations.compactMap { if case .rejected(_, let offset, _) = $0 { offset } else { nil } }
  }

  var haltReasons: [String] {
    observations.compactMap { if case .halted(_, let reason) = $0 { reason } else { nil } }
  }

  var gaps: [Range<Int64>] {
    observations.compactMap { if case .gap(_, let range) = $0 { range } else { nil } }
  }
}
