import ArgumentParser
import Glibc
import Kafka

/// Fills a topic with the events of a scenario.
struct Produce: ParsableCommand {
  @OptionGroup var scenario: ScenarioOptions
  @Option var brokers: String
  @Option(help: "Events to send.") var count: UInt64
  @Option(help: "The number of the first event.") var from: UInt64 = 0
  @Option(help: "Share of messages that repeat one of the 1,000 events before.") var near = 0.0
  @Option(help: "Share of messages that repeat an event below --from: one of an earlier run.") var far = 0.0

  func run() throws {
    var configuration = Configuration(brokers: brokers)
    configuration["linger.ms"] = "5"
    let producer = try Producer(configuration)
    let events = scenario.events
    let partitions = UInt64(try producer.partitionCount(of: scenario.topic, timeout: 10_000))
    var random = SystemRandomNumberGenerator()
    var bytes: [UInt8] = []
    var next = from
    for sent in 0..<count {
      let draw = Double.random(in: 0..<1, using: &random)
      let number: UInt64
      if draw < near, next > from {
        number = next - 1 - UInt64.random(in: 0..<min(1000, next - from), using: &random)
      } else if draw < near + far, from > 0 {
        number = UInt64.random(in: 0..<from, using: &random)
      } else {
        number = next
        next += 1
      }
      events.write(events[number], into: &bytes)
      try bytes.withUnsafeBytes { payload in
        try producer.produce(
          topic: scenario.topic,
          partition: Int32(sent / 500 % partitions),
          payload: payload
        )
      }
    }
    try producer.flush(timeout: 60_000)
    guard producer.delivered == Int(count) else {
      throw BenchError("\(Int(count) - producer.delivered) messages were not delivered")
    }
    print("\(next)")
  }
}

/// What the events of a scenario are like.
struct ScenarioOptions: ParsableArguments {
  @Option var topic: String
  @Option var locations: UInt64 = 1000
  @Flag var ascending = false
  @Option(help: "Milliseconds since 1970 at which event time begins.") var start: Int64

  var events: Events { Events(locations: locations, ascending: ascending, startMilliseconds: start) }
}

struct BenchError: Error, CustomStringConvertible {
  var description: String

  init(_ description: String) { self.description = description }
}
