import CLibrdkafka
import Foundation
import Testing

@testable import Kafka

/// Port 1 refuses connections; nothing here needs a broker.
@Suite struct UnreachableBrokerTests {
  @Test("a consumer without a broker reports it, and closes in time")
  func consumer() throws {
    var configuration = Configuration(brokers: "127.0.0.1:1")
    configuration["group.id"] = "g"
    let observations = Observations()
    let consumer = try Consumer(configuration, observe: observations.append) { _, _ in }
    try consumer.subscribe(["a", "^b.*"])
    let deadline = ContinuousClock.now + .seconds(10)
    func hasError() -> Bool {
      observations.all.contains {
        if case .error(let error) = $0 { error.name == "_ALL_BROKERS_DOWN" } else { false }
      }
    }
    while !hasError(), ContinuousClock.now < deadline { try consumer.poll(maximum: 10, timeout: 20) { _ in } }
    #expect(hasError())
    #expect(
      observations.all.contains {
        if case .log(_, _, let text) = $0 { text.contains("127.0.0.1:1") } else { false }
      }
    )
    #expect(consumer.fatalError == nil)
    #expect(consumer.cachedWatermarks(of: TopicPartition(topic: "a", partition: 0)) == nil)
    let error = #expect(throws: KafkaError.self) {
      _ = try consumer.watermarks(of: TopicPartition(topic: "a", partition: 0), timeout: 50)
    }
    #expect(error?.isRetriable == true, "\(String(describing: error))")

    let start = ContinuousClock.now
    consumer.close(timeout: 3000)
    #expect(ContinuousClock.now - start < .seconds(20))
    #expect(consumer.isClosed)
    consumer.close(timeout: 3000)  // a second time is nothing
    consumer.handle.wake()
    try consumer.handle.commit([(TopicPartition(topic: "a", partition: 0), nextOffset: 1)])
  }

  @Test(
    "questions of another thread fail in time, do not outlive the consumer, and are nothing after its end"
  )
  func questions() throws {
    var configuration = Configuration(brokers: "127.0.0.1:1")
    configuration["group.id"] = "g"
    let consumer = try Consumer(configuration) { _, _ in }
    let handle = consumer.handle
    let partition = TopicPartition(topic: "a", partition: 0)
    #expect(throws: KafkaError.self) { try handle.reachBroker(timeout: 100) }
    let error = #expect(throws: KafkaError.self) { try handle.ends(of: [partition], timeout: 100) }
    #expect(error?.partitions == [partition])
    let asker = Thread {
      for _ in 0..<20 { _ = try? handle.ends(of: [partition], timeout: 50) }
    }
    asker.start()
    consumer.close(timeout: 3000)
    #expect(try handle.ends(of: [partition], timeout: 50).isEmpty)
    try handle.reachBroker(timeout: 50)
  }

  /// As when another member has taken its `group.instance.id`, which the broker of the integration tests never reports.
  @Test("a fenced static member's poll throws the fatal error from then on, and it closes in time")
  func fenced() throws {
    var configuration = Configuration(brokers: "127.0.0.1:1")
    configuration["group.id"] = "g"
    configuration["group.instance.id"] = "worker-1"
    let observations = Observations()
    let consumer = try Consumer(configuration, observe: observations.append) { _, _ in }
    try consumer.subscribe(["a"])
    #expect(consumer.fatalError == nil)
    rd_kafka_test_fatal_error(consumer.client, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, "fenced by a test")
    var thrown: KafkaError?
    let deadline = ContinuousClock.now + .seconds(10)
    while thrown == nil, ContinuousClock.now < deadline {
      do { try consumer.poll(maximum: 10, timeout: 20) { _ in } } catch { thrown = error }
    }
    for error in [thrown, consumer.fatalError] {
      #expect(error?.name == "FENCED_INSTANCE_ID")
      #expect(error?.isFatal == true)
      #expect(error?.isRetriable == false)
      #expect(error?.message.contains("fenced by a test") == true)
    }
    #expect(throws: KafkaError.self) { try consumer.poll(maximum: 10, timeout: 20) { _ in } }
    #expect(
      observations.all.contains {
        if case .error(let error) = $0 { error.isFatal && error.name == "FENCED_INSTANCE_ID" } else { false }
      }
    )
    let start = ContinuousClock.now
    consumer.close(timeout: 3000)
    #expect(ContinuousClock.now - start < .seconds(20))
  }

  @Test("a consumer that is dropped unclosed ends by itself")
  func dropped() throws {
    var configuration = Configuration(brokers: "127.0.0.1:1")
    configuration["group.id"] = "g"
    for _ in 0..<20 {
      let consumer = try Consumer(configuration) { _, _ in }
      try consumer.subscribe(["a"])
      try consumer.poll(maximum: 1, timeout: 1) { _ in }
    }
  }

  @Test("a producer's full queue is an error after the time set, and what is not delivered is counted")
  func producer() throws {
    var configuration = Configuration(brokers: "127.0.0.1:1")
    configuration["queue.buffering.max.messages"] = "10"
    // Not before all of this was looked at, also on a busy machine.
    configuration["message.timeout.ms"] = "6000"
    let producer = try Producer(configuration)
    producer.queueFullTimeout = 100
    let error = #expect(throws: KafkaError.self) {
      for _ in 0..<11 { try producer.produce(topic: "a", payload: nil) }
    }
    #expect(error?.name == "_QUEUE_FULL")
    #expect(producer.outstanding == 10)
    let timeout = #expect(throws: KafkaError.self) { try producer.flush(timeout: 10) }
    #expect(timeout?.isTimeout == true)
    try producer.flush(timeout: 60_000)
    #expect(producer.deliveryFailures == 10)
    #expect(producer.delivered == 0)
    #expect(producer.firstDeliveryFailure?.name == "_MSG_TIMED_OUT")
    try producer.produce(topic: "a", payload: nil)
    let start = ContinuousClock.now
    producer.close(timeout: 3000)
    #expect(ContinuousClock.now - start < .seconds(20))
  }

  @Test("a broker list without a usable broker is reported")
  func badBrokers() throws {
    var configuration = Configuration(brokers: "http://")
    configuration["group.id"] = "g"
    let observations = Observations()
    do {
      let consumer = try Consumer(configuration, observe: observations.append) { _, _ in }
      defer { consumer.close(timeout: 1000) }
      try consumer.poll(maximum: 1, timeout: 100) { _ in }
      #expect(!observations.all.isEmpty)
    } catch {
      #expect(error.message.contains("brokers"), "\(error)")
    }
  }
}
