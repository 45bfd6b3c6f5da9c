import Kafka
import TestSupport
import Testing

@Suite struct KafkaRoundTripTests {
  struct Received: Equatable {
    var key: [UInt8]?
    var payload: [UInt8]?
  }

  @Test("what is produced arrives byte by byte, in order, with keys; empty values and tombstones differ")
  func roundTrip() throws {
    let broker = try Broker.running()
    let topic = try broker.createTopic(partitions: 4)
    let sent: [Received] = [
      .init(key: nil, payload: Array("plain".utf8)), .init(key: Array("k".utf8), payload: nil),
      .init(key: Array("k".utf8), payload: []), .init(key: nil, payload: [0, 255, 0, 10]),
      .init(key: nil, payload: [UInt8](repeating: 7, count: 500_000)), .init(key: nil, payload: nil),
    ]
    let producer = try Producer(KafkaFixture.producer(broker))
    #expect(try producer.partitionCount(of: topic, timeout: 5000) == 4)
    for partition in Int32(0)..<4 {
      for one in sent {
        try Self.withBytes(one.key) { key in
          try Self.withBytes(one.payload) { payload in
            try producer.produce(topic: topic, partition: partition, key: key, payload: payload)
          }
        }
      }
    }
    try producer.flush(timeout: 10_000)
    #expect(producer.delivered == sent.count * 4)
    #expect(producer.deliveryFailures == 0)
    producer.close(timeout: 5000)

    let consumer = try Consumer(KafkaFixture.consumer(broker)) { _, _ in }
    defer { consumer.close(timeout: 5000) }
    try consumer.assign(KafkaFixture.partitions(topic, 4).map { ($0, offset: 0) })
    var received: [Int32: [Received]] = [:]
    var offsets: [Int32: [Int64]] = [:]
    var ends: [Int32: Int64] = [:]
    var handles: Set<UnsafeRawPointer> = []
    let isComplete = try KafkaFixture.wait(until: { ends.count == 4 }) {
      try consumer.poll(maximum: 100, timeout: 100) { message in
        #expect(message.topic == topic)
        if let handle = message.topicHandle { handles.insert(handle) }
        if message.isPartitionEnd {
          #expect(message.isError && message.payload == nil && message.error?.isPartitionEnd == true)
          ends[message.partition] = message.offset
        } else {
          #expect(message.error == nil)
          #expect((message.timestamp ?? 0) > 1_600_000_000_000)
          #expect(message.logAppendTime == nil, "the producer's word is not the broker's")
          offsets[message.partition, default: []].append(message.offset)
          received[message.partition, default: []].append(
            Received(key: message.key.map(Array.init), payload: message.payload.map(Array.init))
          )
        }
      }
    }
    #expect(isComplete)
    for partition in Int32(0)..<4 {
      #expect(received[partition] == sent)
      #expect(offsets[partition] == Array(0..<Int64(sent.count)))
      #expect(ends[partition] == Int64(sent.count))
      let cached = consumer.cachedWatermarks(of: TopicPartition(topic: topic, partition: partition))
      #expect(cached?.low == 0)
      #expect(cached?.high == Int64(sent.count))
    }
    #expect(handles.count == 1)
  }

  @Test("the end of a partition is reported again after more has come, and an empty partition has one too")
  func partitionEnds() throws {
    let broker = try Broker.running()
    let topic = try broker.createTopic(partitions: 1)
    let consumer = try Consumer(KafkaFixture.consumer(broker)) { _, _ in }
    defer { consumer.close(timeout: 5000) }
    try consumer.assign([(TopicPartition(topic: topic, partition: 0), offset: Offset.beginning)])
    var ends: [Int64] = []
    var count = 0
    func run(until condition: () -> Bool) throws -> Bool {
      try KafkaFixture.wait(until: condition) {
        try consumer.poll(maximum: 10, timeout: 50) { message in
          if message.isPartitionEnd { ends.append(message.offset) } else if !message.isError { count += 1 }
        }
      }
    }
    #expect(try run { ends.count == 1 })
    try KafkaFixture.fill(broker, topic, partitions: 1, each: 10)
    #expect(try run { ends.last == 10 })
    #expect(count == 10)
    try consumer.seek([(TopicPartition(topic: topic, partition: 0), offset: 4)], timeout: 5000)
    count = 0
    ends = []
    #expect(try run { ends.count == 1 })
    #expect(count == 6)
    #expect(ends == [10])
  }

  @Test("one message is handed out as soon as it is there, although more would fit")
  func latency() throws {
    let broker = try Broker.running()
    let topic = try broker.createTopic(partitions: 1)
    let consumer = try Consumer(KafkaFixture.consumer(broker)) { _, _ in }
    defer { consumer.close(timeout: 5000) }
    try consumer.assign([(TopicPartition(topic: topic, partition: 0), offset: 0)])
    var ends = 0
    #expect(
      try KafkaFixture.wait(until: { ends > 0 }) {
        try consumer.poll(maximum: 1000, timeout: 50) { if $0.isPartitionEnd { ends += 1 } }
      }
    )
    let producer = try Producer(KafkaFixture.producer(broker))
    defer { producer.close(timeout: 5000) }
    var slowest = Duration.zero
    for _ in 0..<20 {
      try producer.produce(topic: topic, partition: 0, payload: nil)
      let start = ContinuousClock.now
      var isThere = false
      while !isThere {
        // A timeout far above what is expected: a poll that waits for a full batch would use it up.
        try consumer.poll(maximum: 1000, timeout: 60_000) { if !$0.isError { isThere = true } }
      }
      slowest = max(slowest, ContinuousClock.now - start)
    }
    #expect(slowest < .seconds(30))
  }

  @Test("an unknown topic and an unknown partition are errors that say so")
  func unknown() throws {
    let broker = try Broker.running()
    let topic = try broker.createTopic(partitions: 1)
    let producer = try Producer(KafkaFixture.producer(broker))
    let tooLarge = #expect(throws: KafkaError.self) {
      try [UInt8](repeating: 0, count: 2_000_000).withUnsafeBytes {
        try producer.produce(topic: topic, payload: $0)
      }
    }
    #expect(tooLarge?.name == "MSG_SIZE_TOO_LARGE")
    try producer.produce(topic: topic, partition: 0, payload: nil)
    try producer.flush(timeout: 5000)
    let partition = #expect(throws: KafkaError.self) {
      try producer.produce(topic: topic, partition: 7, payload: nil)
    }
    #expect(partition?.isUnknownTopicOrPartition == true, "\(String(describing: partition))")
    producer.close(timeout: 5000)

    let consumer = try Consumer(KafkaFixture.consumer(broker)) { _, _ in }
    defer { consumer.close(timeout: 5000) }
    let missing = Broker.uniqueTopic("missing")
    try consumer.subscribe([missing])
    var errors: [KafkaError] = []
    #expect(
      try KafkaFixture.wait(until: { !errors.isEmpty }) {
        try consumer.poll(maximum: 10, timeout: 100) { if let error = $0.error { errors.append(error) } }
      }
    )
    #expect(errors.first?.isUnknownTopicOrPartition == true, "\(errors)")
  }

  private static func withBytes<Result>(
    _ bytes: [UInt8]?,
    _ body: (UnsafeRawBufferPointer?) throws -> Result
  ) rethrows -> Result {
    guard let bytes else { return try body(nil) }
    return try bytes.withUnsafeBytes { try body($0) }
  }
}
