import Kafka
import Threading
import TestSupport
import Testing

/// What the Kafka tests have in common: settings for a test's speed, and waiting with a deadline.
enum KafkaFixture {
  /// The settings that ingestion uses, but for a session short enough for tests (Tansu delays a group's first
  /// assignment by half of it).
  static func consumer(_ broker: Broker, group: String = Broker.uniqueTopic("group")) -> Configuration {
    var configuration = Configuration(brokers: broker.address)
    configuration["group.id"] = group
    configuration["session.timeout.ms"] = "6000"
    configuration["enable.auto.commit"] = "false"
    configuration["enable.auto.offset.store"] = "false"
    configuration["auto.offset.reset"] = "error"
    configuration["isolation.level"] = "read_committed"
    configuration["check.crcs"] = "true"
    configuration["allow.auto.create.topics"] = "false"
    configuration["fetch.wait.max.ms"] = "10"
    configuration["enable.partition.eof"] = "true"
    return configuration
  }

  /// Produces `count` messages, each with its number in its partition as text, and waits for their delivery.
  static func fill(_ broker: Broker, _ topic: String, partitions: Int32, each count: Int) throws {
    let producer = try Producer(producer(broker))
    for number in 0..<count {
      for partition in 0..<partitions {
        try Array("\(number)".utf8).withUnsafeBytes {
          try producer.produce(topic: topic, partition: partition, payload: $0)
        }
      }
    }
    try producer.deliver()
    #expect(producer.delivered == count * Int(partitions))
    #expect(producer.firstDeliveryFailure == nil)
    producer.close(timeout: 5000)
  }

  static func producer(_ broker: Broker) -> Configuration {
    var configuration = Configuration(brokers: broker.address)
    configuration["linger.ms"] = "5"
    return configuration
  }

  static func partitions(_ topic: String, _ count: Int32) -> [TopicPartition] {
    (0..<count).map { TopicPartition(topic: topic, partition: $0) }
  }

  /// Goes on with `step` until `condition` holds, at most for `limit` (see `ProgressDeadline`); false when it never
  /// did.
  static func wait(
    _ limit: Duration = .seconds(30),
    until condition: () throws -> Bool,
    _ step: () throws -> Void
  ) rethrows -> Bool {
    var deadline = ProgressDeadline(limit)
    while try !condition() {
      deadline.look()
      if deadline.isOver { return false }
      try step()
    }
    return true
  }

  /// The number that `fill` wrote.
  static func number(_ message: borrowing Message) -> Int64? {
    message.payload.flatMap { Int64(String(decoding: $0, as: UTF8.self)) }
  }
}

extension Producer {
  /// Waits until every message is delivered or given up, as long as their number changes.
  func deliver(within limit: Duration = .seconds(30)) throws {
    try waitUntil("all is delivered", within: limit, seen: { "\(outstanding) are not" }) {
      do { try flush(timeout: 100) } catch let error as KafkaError where error.isTimeout {}
      return outstanding == 0
    }
  }
}

/// Collects what a closure is given, from whichever thread.
final class Collected<Element: Sendable>: Sendable {
  private let values = Lock<[Element]>([])
  func append(_ value: Element) { values.withLock { $0.append(value) } }
  var all: [Element] { values.withLock { $0 } }
}
