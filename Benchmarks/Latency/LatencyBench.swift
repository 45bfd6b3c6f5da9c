import ArgumentParser
import Foundation
import Kafka

/// Measures how long after `produce()` an event is in the API's answer, on an idle system.
///
/// Producer and client are this one process, and all times are its monotonic clock's. Each try sends one event and
/// asks for its location's top list, over one connection, until the count has grown; the answer's arrival ends the try.
@main
struct LatencyBench: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "latency-bench")

  @Option(help: "Where Kafka is.") var brokers: String
  @Option(help: "The topic that a running worker reads.") var topic: String
  @Option(help: "The port of a running server on 127.0.0.1.") var port: UInt16
  @Option(help: "How many events are measured, one after the other.") var tries = 200
  @Option(help: "Where the figures are written, as JSON.") var json: String?

  /// An oid that nothing else uses in a fresh database.
  private static let location = 1
  private static let target = "/v1/top-items?location=\(location)&n=1"

  func run() throws {
    var configuration = Configuration(brokers: brokers)
    configuration["linger.ms"] = "0"
    let producer = try Producer(configuration)
    defer { producer.close(timeout: 1000) }
    var client = try KeepAliveClient(port: port)

    // The first events wait for the group's assignment, and warm everything up.
    var count = 0
    for _ in 0..<10 {
      count += 1
      _ = try publish(count, producer, &client)
    }
    var visible: [Double] = []
    var asked: [Double] = []
    for _ in 0..<tries {
      // Idle for a while, and never in step with any timer.
      usleep(.random(in: 20_000...120_000))
      let start = ContinuousClock.now
      _ = try client.get(Self.target)
      asked.append(Self.milliseconds(since: start))
      count += 1
      visible.append(try publish(count, producer, &client))
    }
    try report(Figures(visible), Figures(asked))
  }

  /// Sends one event, and asks until it is counted.
  /// - Returns: the milliseconds from before `produce()` to after the answer.
  private func publish(_ count: Int, _ producer: Producer, _ client: inout KeepAliveClient) throws -> Double {
    let time = Int64(Date().timeIntervalSince1970 * 1000)
    let event =
      #"{"geographical_location_oid":\#(Self.location),"video_camera_oid":1,"detection_oid":\#(count),"#
      + #""item_name":"probe","timestamp_detected":\#(time)}"#
    let start = ContinuousClock.now
    try Array(event.utf8).withUnsafeBytes { try producer.produce(topic: topic, payload: $0) }
    while start.duration(to: .now) < .seconds(60) {
      // The location is unknown until its first event is counted: that answer is a 404.
      let answer = try client.get(Self.target)
      if let counted = Self.count(in: answer), counted >= count { return Self.milliseconds(since: start) }
      usleep(200)
    }
    throw ValidationError("event \(count) was not counted within 60 s: does a worker read \(topic)?")
  }

  /// The first `item_count` of an answer.
  private static func count(in answer: String) -> Int? {
    guard let name = answer.range(of: #""item_count":"#) else { return nil }
    return Int(answer[name.upperBound...].prefix { $0.isNumber })
  }

  private static func milliseconds(since start: ContinuousClock.Instant) -> Double {
    start.duration(to: .now) / .milliseconds(1)
  }

  private func report(_ visible: Figures, _ asked: Figures) throws {
    print("milliseconds, \(tries) tries            p50      p90      p99      max")
    print("from produce() to the answer    \(visible.row)")
    print("one question and its answer     \(asked.row)")
    guard let json else { return }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    let figures = ["publish_to_visible_ms": visible, "question_ms": asked]
    try encoder.encode(figures).write(to: URL(fileURLWithPath: json))
  }
}

/// What is told of a set of measured times.
struct Figures: Encodable {
  var tries: Int
  var p50, p90, p99, max: Double

  init(_ milliseconds: [Double]) {
    let sorted = milliseconds.sorted()
    /// The nearest rank: a time that was measured.
    func percentile(_ share: Double) -> Double {
      sorted.isEmpty ? 0 : sorted[Swift.max(0, Int((share * Double(sorted.count)).rounded(.up)) - 1)]
    }
    tries = sorted.count
    (p50, p90, p99, max) = (percentile(0.5), percentile(0.9), percentile(0.99), percentile(1))
  }

  var row: String {
    [p50, p90, p99, max].map { value in
      let text = String(format: "%.2f", value)
      return String(repeating: " ", count: Swift.max(0, 9 - text.count)) + text
    }.joined()
  }
}
