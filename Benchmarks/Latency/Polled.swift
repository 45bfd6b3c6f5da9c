import ArgumentParser
import Foundation
import Kafka

/// By asking, beside a steady stream of other events.
///
/// Producer and client are this one process, and all times are its monotonic clock's. Each try sends one event and
/// asks for its location's top list, over one connection, until the count has grown; the response's arrival ends the
/// try.
struct Polled: ParsableCommand {
  @OptionGroup var bench: BenchTarget
  @Option(help: "Other events a second; several rates separated by commas.") var rates = "0"
  @Option(help: "The binary of topitems, which simulates the other events.") var topitems = "topitems"

  private static let target = "/v1/top-items?location=\(BenchTarget.location)&n=1"

  func run() throws {
    let rates = try rates.split(separator: ",").map { rate in
      guard let rate = Int(rate), rate >= 0 else { throw ValidationError("--rates must be numbers") }
      return rate
    }
    let producer = try bench.producer()
    defer { producer.close(timeout: 1000) }
    var client = try KeepAliveClient(port: bench.port)
    print("milliseconds, \(bench.tries) tries                        p50      p90      p99      max")
    var count = 0
    var levels: [Level] = []
    for rate in rates {
      let others = try OtherEvents(rate: rate, topitems: topitems, brokers: bench.brokers, topic: bench.topic)
      defer { others.stop() }
      // The first events wait for the group's assignment, and warm everything up.
      for _ in 0..<20 {
        count += 1
        _ = try publish(count, producer, &client)
      }
      let times = try ProcessorTimes(bench.parts, and: others.parts)
      var level = try measure(rate, after: &count, producer, &client)
      level.cost = times.spent()
      print(level.rows)
      // Each level is worth seeing at once, also in a file.
      fflush(nil)
      levels.append(level)
    }
    try bench.write(["levels": levels])
  }

  private func measure(
    _ rate: Int,
    after count: inout Int,
    _ producer: Producer,
    _ client: inout KeepAliveClient
  ) throws -> Level {
    var visible: [Double] = []
    var asked: [Double] = []
    for _ in 0..<bench.tries {
      // Idle for a while, and never in step with any timer.
      usleep(.random(in: 20_000...120_000))
      let start = ContinuousClock.now
      _ = try client.get(Self.target)
      asked.append(BenchTarget.milliseconds(since: start))
      count += 1
      visible.append(try publish(count, producer, &client))
    }
    return Level(rate: rate, publishToVisible: Figures(visible), question: Figures(asked))
  }

  /// Sends one event, and asks until it is counted.
  /// - Returns: the milliseconds from before `produce()` to after the response.
  private func publish(_ count: Int, _ producer: Producer, _ client: inout KeepAliveClient) throws -> Double {
    let start = ContinuousClock.now
    try bench.publish("probe", oid: count, on: producer)
    while start.duration(to: .now) < .seconds(60) {
      // The location is unknown until its first event is counted: that answer is a 404.
      let answer = try client.get(Self.target)
      if let counted = BenchTarget.count(of: "probe", in: answer), counted >= count {
        return BenchTarget.milliseconds(since: start)
      }
      usleep(200)
    }
    throw ValidationError("event \(count) was not counted within 60 s: does a worker read \(bench.topic)?")
  }
}

/// What was measured beside so many other events a second.
struct Level: Encodable {
  var rate: Int
  var publishToVisible: Figures
  var question: Figures
  var cost: ProcessorSeconds?

  enum CodingKeys: String, CodingKey {
    case rate = "other_events_per_second"
    case publishToVisible = "publish_to_visible_ms"
    case question = "question_ms"
    case cost = "cpu_seconds"
  }

  var rows: String {
    let rate = String(repeating: " ", count: max(0, 6 - "\(rate)".count)) + "\(rate)"
    return "\(rate)/s: from produce() to the answer  \(publishToVisible.row)\n"
      + "          one question and its answer   \(question.row)" + (cost.map { "\n\($0.row)" } ?? "")
  }
}
