import Foundation
import Kafka
import Postgres
import TestSupport

/// One topic and one database, and the commands that work on them.
struct Deployment: Sendable {
  let databaseURL: String
  let brokers: String
  let topic: String

  /// Makes a topic; the database may be empty.
  init(databaseURL: String, broker: Broker, partitions: Int = 4) throws {
    self.databaseURL = databaseURL
    brokers = broker.address
    topic = try broker.createTopic(Broker.uniqueTopic("e2e"), partitions: partitions)
  }

  /// A deployment on the shared services, migrated, in a database of its own.
  static func with<T>(_ body: (Deployment) throws -> T) throws -> T {
    try TestDatabase.withDatabase { url in
      let deployment = try Deployment(databaseURL: url, broker: Broker.running())
      try deployment.migrate()
      return try body(deployment)
    }
  }

  var environment: [String: String?] {
    ["TOPITEMS_DATABASE_URL": databaseURL, "TOPITEMS_BROKERS": brokers]
  }

  func connect() throws -> Connection { try Connection(ConnectionOptions(url: databaseURL)) }

  func migrate() throws {
    let run = try ProcessRunner.run(["migrate"], environment: environment)
    guard run.ending == .exited(0) else { throw TestSupportError("migrate: \(run.ending) \(run.errors)") }
  }

  /// Starts a worker.
  ///
  /// The session is short because Tansu delays a group's first assignment by half of it, and keeps a killed member
  /// until it ends, whether or not the member is static. The topic is an argument, so that what is left of a test
  /// can be found in the list of processes.
  func worker(
    _ options: [String] = [],
    group: String? = nil,
    sessionMilliseconds: Int = 6000,
    environment changes: [String: String?] = [:]
  ) throws -> ProcessRunner {
    try ProcessRunner(
      [
        "ingest", "--topics", topic, "--group", group ?? topic, "--log-level", "debug",
        "--kafka", "session.timeout.ms=\(sessionMilliseconds)",
        "--kafka", "heartbeat.interval.ms=\(min(1000, sessionMilliseconds / 4))",
      ] + options,
      environment: environment.merging(changes) { $1 }
    )
  }

  /// Reads what is left, and ends.
  ///
  /// In a group of its own, as the positions are PostgreSQL's anyway: when two members leave at once, Tansu 0.6 may
  /// take one of them for the group's leader ever after, and the group never gets an assignment again.
  func drain(within limit: Duration = .seconds(60)) throws {
    let worker = try worker(["--drain"], group: Broker.uniqueTopic("drain"), sessionMilliseconds: 2500)
    let ending = try worker.wait(within: limit)
    guard ending == .exited(0) else { throw TestSupportError("ingest --drain: \(ending)\(worker.story)") }
  }

  /// Starts the simulator, with some of everything.
  func simulator(_ options: [String], truth: TemporaryFile) throws -> ProcessRunner {
    try ProcessRunner(
      [
        "simulate", "--topic", topic, "--truth", truth.path, "--duplicates", "0.1", "--late", "0.01",
        "--future", "0.01", "--malformed", "0.01", "--tombstones", "0.005",
      ] + options,
      environment: environment
    )
  }

  /// Sends one event for each item name, with the current time and an identifier of its own, and waits for the
  /// delivery.
  func send(_ items: [String], location: Int64 = 1, topic: String? = nil) throws {
    var configuration = Configuration(brokers: brokers)
    configuration["linger.ms"] = "0"
    let producer = try Producer(configuration)
    defer { producer.close(timeout: 1000) }
    for item in items {
      let event =
        #"{"geographical_location_oid":\#(location),"video_camera_oid":1,"item_name":"\#(item)","#
        + #""detection_oid":\#(Int64.random(in: 1 ... .max)),"timestamp_detected":\#(Int64(Date().timeIntervalSince1970))}"#
      try Array(event.utf8).withUnsafeBytes { try producer.produce(topic: topic ?? self.topic, payload: $0) }
    }
    try producer.flush(timeout: 10_000)
    guard producer.delivered == items.count else { throw TestSupportError("the events were not delivered") }
  }

  /// The messages that were accounted for so far.
  func accountedFor(_ connection: Connection) throws -> Int64 {
    let result = try connection.execute("SELECT coalesce(sum(next_offset), 0)::bigint FROM ingest_offset")
    return try result.int64(0, 0)
  }

  /// The processes that work on this topic, with their command lines.
  func processes() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { Int($0) != nil }.compactMap { pid in
      guard let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") else { return nil }
      let text = String(decoding: line, as: UTF8.self).replacing("\0", with: " ")
      return text.contains(topic) ? "\(pid) \(text)" : nil
    }
  }
}

/// What a worker says when a batch is committed: the offsets have advanced in this worker's life.
let committed = "committed revision"

/// A path in the temporary folder; what is there at the end is deleted.
final class TemporaryFile: Sendable {
  let path: String

  init(_ name: String = "file", content: String? = nil) throws {
    path = try ProcessRunner.temporaryFolder() + "/" + name
    if let content { try Data(content.utf8).write(to: URL(fileURLWithPath: path)) }
  }

  deinit {
    try? FileManager.default.removeItem(at: URL(fileURLWithPath: path).deletingLastPathComponent())
  }
}
