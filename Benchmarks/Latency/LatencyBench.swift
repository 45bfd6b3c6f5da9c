import ArgumentParser
import Foundation
import Glibc
import Kafka

/// Measures how long after `produce()` an event is in the API's answer.
@main
struct LatencyBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "latency-bench",
    subcommands: [Polled.self, Pushed.self],
    defaultSubcommand: Polled.self
  )

  /// As `topitems` does, ends without exit handlers: those of OpenSSL free what librdkafka's threads use.
  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
      fflush(nil)
      _exit(EXIT_SUCCESS)
    } catch {
      exit(withError: error)
    }
  }
}

/// What is measured, and where.
struct BenchTarget: ParsableArguments {
  @Option(help: "Where Kafka is.") var brokers: String
  @Option(help: "The topic that a running worker reads.") var topic: String
  @Option(help: "The port of a running server on 127.0.0.1.") var port: UInt16
  @Option(help: "How many events are measured, one after the other.") var tries = 200
  @Option(
    name: .customLong("part"),
    help: "A process whose CPU seconds are reported, name=id; may be repeated."
  )
  var parts: [String] = []
  @Option(help: "Where the figures are written, as JSON.") var json: String?

  /// An oid that nothing else uses in a fresh database.
  static let location = 9_000_000_001

  /// How long other events wait for company on their way, in milliseconds, as at a gateway of cameras; the measured
  /// ones never wait.
  static let backgroundLinger = 100

  func producer(lingerMilliseconds: Int = 0) throws -> Producer {
    var configuration = Configuration(brokers: brokers)
    configuration["linger.ms"] = "\(lingerMilliseconds)"
    return try Producer(configuration)
  }

  func publish(_ item: String, oid: Int, on producer: Producer) throws {
    let time = Int64(Date().timeIntervalSince1970 * 1000)
    let event =
      #"{"geographical_location_oid":\#(Self.location),"video_camera_oid":1,"detection_oid":\#(oid),"#
      + #""item_name":"\#(item)","timestamp_detected":\#(time)}"#
    try Array(event.utf8).withUnsafeBytes { try producer.produce(topic: topic, payload: $0) }
  }

  func write(_ figures: some Encodable) throws {
    guard let json else { return }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try encoder.encode(figures).write(to: URL(fileURLWithPath: json))
  }

  static func milliseconds(since start: ContinuousClock.Instant) -> Double {
    start.duration(to: .now) / .milliseconds(1)
  }

  /// The `item_count` of an item in a response.
  static func count(of item: String, in answer: String) -> Int? {
    guard let name = answer.range(of: #""item_name":"\#(item)","item_count":"#) else { return nil }
    return Int(answer[name.upperBound...].prefix { $0.isNumber })
  }
}

/// What is reported of a set of measured times.
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
