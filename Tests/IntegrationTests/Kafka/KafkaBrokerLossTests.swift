import Glibc
import Kafka
import TestSupport
import Testing

/// Each on a broker of its own, which is stopped or killed.
@Suite struct KafkaBrokerLossTests {
  enum Loss: String, CaseIterable { case none, killed, stopped }

  @Test("a member of a group closes in time, whatever has become of the broker", arguments: Loss.allCases)
  func close(loss: Loss) throws {
    let broker = try Broker.startPrivate()
    defer { broker.stop() }
    let topic = try broker.createTopic(partitions: 2)
    try KafkaFixture.fill(broker, topic, partitions: 2, each: 10_000)
    var owned: [TopicPartition] = []
    let consumer = try Consumer(KafkaFixture.consumer(broker)) { consumer, rebalance in
      switch rebalance {
      case .assigned(let partitions):
        owned = partitions
        try? consumer.assign(partitions.map { ($0, offset: 0) })
      case .revoked, .lost: owned = []
      }
    }
    try consumer.subscribe([topic])
    #expect(
      try KafkaFixture.wait(until: { owned.count == 2 }) {
        try consumer.poll(maximum: 5, timeout: 20) { _ in }
      }
    )
    try consumer.poll(maximum: 5, timeout: 1000) { _ in }
    switch loss {
    case .none: break
    case .killed: broker.signal(SIGKILL)
    case .stopped: broker.signal(SIGSTOP)
    }
    let start = ContinuousClock.now
    consumer.close(timeout: 2000)
    // Without its time limit it would wait for the broker for as long as a request may take.
    #expect(ContinuousClock.now - start < .seconds(20))
    #expect(owned.isEmpty)
  }

  @Test(
    "a producer on a lost broker remembers the first failure and closes in time",
    arguments: [SIGKILL, SIGSTOP]
  )
  func producer(signal: Int32) throws {
    let broker = try Broker.startPrivate()
    defer { broker.stop() }
    let topic = try broker.createTopic(partitions: 1)
    var configuration = KafkaFixture.producer(broker)
    configuration["message.timeout.ms"] = "1500"
    let producer = try Producer(configuration)
    try producer.produce(topic: topic, partition: 0, payload: nil)
    try producer.flush(timeout: 10_000)
    #expect(producer.delivered == 1)
    broker.signal(signal)
    for _ in 0..<100 { try producer.produce(topic: topic, partition: 0, payload: nil) }
    try producer.flush(timeout: 20_000)
    #expect(producer.delivered == 1)
    #expect(producer.deliveryFailures == 100)
    #expect(producer.firstDeliveryFailure?.partitions == [TopicPartition(topic: topic, partition: 0)])
    try producer.produce(topic: topic, partition: 0, payload: nil)
    let start = ContinuousClock.now
    producer.close(timeout: 2000)
    #expect(ContinuousClock.now - start < .seconds(20))
  }

  @Test("a consumer outlives a stopped broker and goes on where it was")
  func stopped() throws {
    let broker = try Broker.startPrivate()
    defer { broker.stop() }
    let topic = try broker.createTopic(partitions: 1)
    try KafkaFixture.fill(broker, topic, partitions: 1, each: 20_000)
    let partition = TopicPartition(topic: topic, partition: 0)
    var configuration = KafkaFixture.consumer(broker)
    configuration["queued.max.messages.kbytes"] = "16"
    configuration["socket.timeout.ms"] = "2000"
    let consumer = try Consumer(configuration) { _, _ in }
    defer { consumer.close(timeout: 5000) }
    try consumer.assign([(partition, offset: 0)])
    var next: Int64 = 0
    var isInOrder = true
    var isAtEnd = false
    func step() throws {
      try consumer.poll(maximum: 100, timeout: 50) { message in
        if message.isPartitionEnd { isAtEnd = true }
        guard !message.isError else { return }
        isInOrder = isInOrder && message.offset == next
        next = message.offset + 1
      }
    }
    #expect(try KafkaFixture.wait(until: { next > 500 }, step))
    broker.signal(SIGSTOP)
    let resume = ContinuousClock.now + .milliseconds(2500)
    while ContinuousClock.now < resume { try step() }
    broker.signal(SIGCONT)
    #expect(try KafkaFixture.wait(until: { isAtEnd }, step))
    #expect(isInOrder)
    #expect(next == 20_000)
  }

  @Test("a member that the broker has not seen for a session learns that its partitions are lost")
  func lost() throws {
    let broker = try Broker.startPrivate()
    defer { broker.stop() }
    let topic = try broker.createTopic(partitions: 2)
    var reported: [Rebalance] = []
    var configuration = KafkaFixture.consumer(broker)
    configuration["heartbeat.interval.ms"] = "500"
    configuration["socket.timeout.ms"] = "1000"
    let consumer = try Consumer(configuration) { consumer, rebalance in
      reported.append(rebalance)
      // Lost partitions are left to the consumer to unassign.
      if case .assigned(let partitions) = rebalance {
        try? consumer.assign(partitions.map { ($0, offset: 0) })
      }
    }
    defer { consumer.close(timeout: 5000) }
    func wait(_ count: Int) throws -> Bool {
      try KafkaFixture.wait(until: { reported.count >= count }) {
        try consumer.poll(maximum: 5, timeout: 50) { _ in }
      }
    }
    try consumer.subscribe([topic])
    #expect(try wait(1))
    broker.signal(SIGSTOP)
    #expect(try wait(2))
    broker.signal(SIGCONT)
    #expect(try wait(3))
    let partitions = KafkaFixture.partitions(topic, 2)
    #expect(reported == [.assigned(partitions), .lost(partitions), .assigned(partitions)])
  }
}
