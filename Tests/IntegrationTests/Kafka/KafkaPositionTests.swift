import Kafka
import TestSupport
import Testing

@Suite struct KafkaPositionTests {
  @Test("after a seek the messages come exactly from there, and none that was fetched before it")
  func seek() throws {
    let broker = try Broker.running()
    let topic = try broker.createTopic(partitions: 2)
    try KafkaFixture.fill(broker, topic, partitions: 2, each: 5000)
    let partitions = KafkaFixture.partitions(topic, 2)
    let consumer = try Consumer(KafkaFixture.consumer(broker)) { _, _ in }
    defer { consumer.close(timeout: 5000) }
    try consumer.assign(partitions.map { ($0, offset: 0) })
    var expected: [Int32: Int64] = [0: 0, 1: 0]
    var ended: Set<Int32> = []
    var wrong: [String] = []
    var random = SystemRandomNumberGenerator()
    for round in 0..<300 {
      // Some polls are of one message, so that much more than is handed out has been fetched when the seek comes.
      var got = 0
      let target = Int.random(in: 1...200, using: &random)
      #expect(
        try KafkaFixture.wait(until: { got >= target || ended.count == 2 }) {
          try consumer.poll(maximum: Int.random(in: 1...300, using: &random), timeout: 1000) { message in
            if message.isPartitionEnd {
              ended.insert(message.partition)
            } else {
              got += 1
              if message.offset != expected[message.partition]
                || KafkaFixture.number(message) != message.offset
              {
                wrong.append(
                  "round \(round) [\(message.partition)] \(message.offset), not \(expected[message.partition] ?? -1)"
                )
              }
              expected[message.partition] = message.offset + 1
            }
          }
        }
      )
      let moved = round % 3 == 0 ? partitions : [partitions[round % 2]]
      let positions = moved.map { ($0, offset: Int64.random(in: 0..<5000, using: &random)) }
      try consumer.seek(positions, timeout: 5000)
      for (partition, offset) in positions {
        expected[partition.partition] = offset
        ended.remove(partition.partition)
      }
    }
    #expect(wrong.isEmpty, "\(wrong.prefix(5))")
  }

  @Test("the ends of logs can be asked for from another thread, whether or not they are read")
  func ends() throws {
    let broker = try Broker.running()
    let topic = try broker.createTopic(partitions: 3)
    let consumer = try Consumer(KafkaFixture.consumer(broker)) { _, _ in }
    defer { consumer.close(timeout: 5000) }
    let partitions = KafkaFixture.partitions(topic, 2)
    for each in [0, 40] {
      for _ in 0..<each { try KafkaFixture.fill(broker, topic, partitions: 2, each: 1) }
      let handle = consumer.handle
      let ends = try Background { try handle.ends(of: partitions, timeout: 5000) }.value()
      #expect(ends == [partitions[0]: Int64(each), partitions[1]: Int64(each)])
      try consumer.handle.reachBroker(timeout: 5000)
    }
  }

  @Test("a seek that cannot be done names the partition")
  func seekFailure() throws {
    let broker = try Broker.running()
    let topic = try broker.createTopic(partitions: 1)
    let consumer = try Consumer(KafkaFixture.consumer(broker)) { _, _ in }
    defer { consumer.close(timeout: 5000) }
    let one = TopicPartition(topic: topic, partition: 0)
    let other = TopicPartition(topic: topic, partition: 5)
    let error = #expect(throws: KafkaError.self) {
      try consumer.seek([(one, offset: 0), (other, offset: 0)], timeout: 500)
    }
    #expect(error?.partitions.isEmpty == false, "\(String(describing: error))")
  }

  @Test("partitions assigned paused deliver nothing, then, sought and resumed, all from there")
  func assignedPaused() throws {
    let broker = try Broker.running()
    let topic = try broker.createTopic(partitions: 4)
    try KafkaFixture.fill(broker, topic, partitions: 4, each: 2000)
    let partitions = KafkaFixture.partitions(topic, 4)
    for round in 0..<10 {
      let consumer = try Consumer(KafkaFixture.consumer(broker)) { _, _ in }
      defer { consumer.close(timeout: 5000) }
      try consumer.assign(partitions.map { ($0, offset: 0) }, paused: true)
      var early = 0
      // Sometimes at once, so that the seek meets an assignment that has not started yet.
      let pause = ContinuousClock.now + .milliseconds(round % 2 == 0 ? 0 : 600)
      while ContinuousClock.now < pause { early += try consumer.poll(maximum: 100, timeout: 20) { _ in } }
      #expect(early == 0)
      let positions = partitions.map { ($0, offset: 500 + Int64($0.partition)) }
      if round < 8 {
        try consumer.resume(positions, timeout: 5000)
      } else {
        try consumer.seek(positions, timeout: 5000)
        early += try consumer.poll(maximum: 100, timeout: 50) { _ in }
        #expect(early == 0)
        try consumer.resume(partitions)
      }
      var offsets: [Int32: [Int64]] = [:]
      var ends = 0
      #expect(
        try KafkaFixture.wait(until: { ends == 4 }) {
          try consumer.poll(maximum: 1000, timeout: 100) { message in
            if message.isPartitionEnd {
              ends += 1
            } else {
              offsets[message.partition, default: []].append(message.offset)
            }
          }
        }
      )
      for partition in Int32(0)..<4 {
        #expect(offsets[partition] == Array((500 + Int64(partition))..<2000), "round \(round)")
      }
    }
  }

  @Test("pausing and resuming in the middle, also after a seek back, loses and repeats nothing")
  func pauseAndResume() throws {
    let broker = try Broker.running()
    let topic = try broker.createTopic(partitions: 1)
    try KafkaFixture.fill(broker, topic, partitions: 1, each: 20_000)
    let partition = TopicPartition(topic: topic, partition: 0)
    let consumer = try Consumer(KafkaFixture.consumer(broker)) { _, _ in }
    defer { consumer.close(timeout: 5000) }
    try consumer.assign([(partition, offset: 0)])
    var next: Int64 = 0
    var wrong: [String] = []
    var isAtEnd = false
    var round = 0
    #expect(
      try KafkaFixture.wait(.seconds(60), until: { isAtEnd }) {
        round += 1
        try consumer.poll(maximum: 400, timeout: 1000) { message in
          if message.isPartitionEnd {
            isAtEnd = true
            return
          }
          if message.offset != next { wrong.append("round \(round): \(message.offset), not \(next)") }
          next = message.offset + 1
        }
        try consumer.pause([partition])
        let count = try consumer.poll(maximum: 400, timeout: 0) { _ in }
        if count > 0 { wrong.append("round \(round): \(count) messages while paused") }
        if round % 5 == 0, round < 100 {
          next = max(0, next - 1500)
          isAtEnd = false
          try consumer.seek([(partition, offset: next)], timeout: 5000)
        }
        try consumer.resume([partition])
      }
    )
    #expect(wrong.isEmpty, "\(wrong.prefix(5))")
  }

  @Test("partitions that were paused when they were given up are not paused when they come back")
  func reassigned() throws {
    let broker = try Broker.running()
    let topic = try broker.createTopic(partitions: 2)
    try KafkaFixture.fill(broker, topic, partitions: 2, each: 100)
    let partitions = KafkaFixture.partitions(topic, 2)
    let consumer = try Consumer(KafkaFixture.consumer(broker)) { _, _ in }
    defer { consumer.close(timeout: 5000) }
    for round in 0..<4 {
      try consumer.assign(partitions.map { ($0, offset: 0) }, paused: round % 2 == 0)
      if round == 3 { try consumer.pause(partitions) }
      for _ in 0..<3 { try consumer.poll(maximum: 10, timeout: 20) { _ in } }
      try consumer.unassign(partitions)
      try consumer.assign(partitions.map { ($0, offset: 50) })
      var offsets: [Int64] = []
      #expect(
        try KafkaFixture.wait(.seconds(5), until: { offsets.count == 100 }) {
          try consumer.poll(maximum: 10, timeout: 20) { if !$0.isError { offsets.append($0.offset) } }
        },
        "round \(round): \(offsets.count)"
      )
      #expect(offsets.sorted() == (50..<100).flatMap { [$0, $0] })
      try consumer.unassign(partitions)
    }
  }

  @Test("the body of a poll gets no message of the other partitions that are paused")
  func pauseOne() throws {
    let broker = try Broker.running()
    let topic = try broker.createTopic(partitions: 2)
    try KafkaFixture.fill(broker, topic, partitions: 2, each: 100)
    let partitions = KafkaFixture.partitions(topic, 2)
    let consumer = try Consumer(KafkaFixture.consumer(broker)) { _, _ in }
    defer { consumer.close(timeout: 5000) }
    try consumer.assign(partitions.map { ($0, offset: 0) })
    try consumer.pause([partitions[0]])
    var counts: [Int32: Int] = [:]
    var ends: Set<Int32> = []
    func step() throws {
      try consumer.poll(maximum: 10, timeout: 20) { message in
        if message.isPartitionEnd {
          ends.insert(message.partition)
        } else {
          counts[message.partition, default: 0] += 1
        }
      }
    }
    #expect(try KafkaFixture.wait(until: { ends.contains(1) }, step))
    #expect(counts == [1: 100])
    try consumer.resume([partitions[0]])
    #expect(try KafkaFixture.wait(until: { ends.contains(0) }, step))
    #expect(counts == [0: 100, 1: 100])
  }
}
