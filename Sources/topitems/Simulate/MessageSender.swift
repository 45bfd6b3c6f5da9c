import Counting
import Glibc
import Kafka
import Simulation

/// Sends simulated messages at an even pace and makes sure that every one of them arrived.
struct MessageSender {
  /// How long the last messages may take to be acknowledged, in milliseconds.
  private static let flushTimeout: Int32 = 30_000
  private let topics: [String]
  private let producer: Producer

  /// What the producer needs of librdkafka.
  static let settings: KeyValuePairs = [
    "client.id": "topitems-simulate",
    // As a gateway of cameras batches. Each fetch from the development broker looks through all batches of a partition.
    "linger.ms": "100",
    "acks": "all",
    // Otherwise a retry may store a message twice: a duplicate that the truth does not know of.
    "enable.idempotence": "true",
  ]

  init(_ configuration: Configuration, topics: [String]) throws {
    guard !topics.isEmpty, !topics.contains(where: { $0.hasPrefix("^") }) else {
      throw SendingError("--topics must name topics; a pattern is for readers")
    }
    self.topics = topics
    producer = try Producer(configuration) { observation in
      // Conditions come and go while librdkafka retries; what was not delivered is reported at the end.
      if case .error(let error) = observation { Progress.reportNowAndThen("kafka: \(error)") }
    }
    producer.queueFullTimeout = 500
  }

  /// The number of partitions that every topic has.
  func partitions() throws -> Int32 {
    try topics.map { topic in try producer.partitionCount(of: topic, timeout: 10_000) }.min() ?? 1
  }

  /// Sends messages until there were `count` or a signal asks to stop.
  ///
  /// - Parameter rate: messages a second; 0 for as fast as possible.
  /// - Returns: the truth about what was sent, all of it acknowledged.
  func send(_ stream: consuming CameraStream, rate: Double, count: Int) throws -> Truth {
    var progress = Progress()
    let start = ContinuousClock.now
    var sent = 0
    while sent < count, !StopSignal.isRequested {
      let elapsed = start.duration(to: .now) / .seconds(1)
      // The first message is due at once. The double is far below Int.max: it would take 10^11 years.
      let due = rate == 0 ? sent + 1_000 : Int(elapsed * rate) + 1
      while sent < min(due, count), !StopSignal.isRequested {
        try send(stream.next())
        sent += 1
      }
      if producer.deliveryFailures > 0 { break }
      progress.show(stream.truth.fates)
      if rate > 0, sent < count { wait(seconds: Double(sent) / rate - elapsed) }
    }
    try finish(sent)
    progress.end(stream.truth.fates)
    return stream.truth
  }

  private func send(_ message: SimulatedMessage) throws {
    var deadline: ContinuousClock.Instant?
    while true {
      do {
        return try produce(message)
      } catch let error as KafkaError where error.name == "_QUEUE_FULL" {
        // The broker is slow or away. Messages that wait too long fail by themselves (message.timeout.ms); a
        // stop request does not wait for that.
        if StopSignal.isRequested, deadline == nil { deadline = .now + .milliseconds(Self.flushTimeout) }
        guard producer.deliveryFailures == 0, deadline.map({ .now < $0 }) ?? true else { throw error }
      }
    }
  }

  private func produce(_ message: SimulatedMessage) throws {
    let topic = topics[message.location % topics.count]
    try message.key.withUnsafeBytes { key in
      guard let payload = message.payload else {
        return try producer.produce(topic: topic, partition: message.partition, key: key, payload: nil)
      }
      try payload.withUnsafeBytes { payload in
        try producer.produce(topic: topic, partition: message.partition, key: key, payload: payload)
      }
    }
  }

  /// Sleeps until the next message is due, 1 ms at least: below that, several are sent together. The upper bound
  /// keeps deliveries, signals and progress flowing at low rates.
  private func wait(seconds: Double) {
    producer.poll()
    usleep(UInt32(min(max(seconds, 0.001), 0.1) * 1_000_000))
  }

  private func finish(_ sent: Int) throws {
    if producer.deliveryFailures == 0 {
      do { try producer.flush(timeout: Self.flushTimeout) } catch { if !error.isTimeout { throw error } }
    }
    guard producer.delivered == sent else {
      let reason = producer.firstDeliveryFailure.map { ", first: \($0)" } ?? ""
      throw SendingError("\(sent - producer.delivered) of \(sent) messages were not acknowledged\(reason)")
    }
  }
}

/// Why the truth about a stream is not known.
struct SendingError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
