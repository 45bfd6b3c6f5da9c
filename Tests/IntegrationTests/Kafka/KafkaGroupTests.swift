import Foundation
import Glibc
import Kafka
import TestSupport
import Testing

/// One member of a group, with its rebalances and the messages that it has consumed.
private final class Member {
  var owned: Set<TopicPartition> = []
  var rebalances: [Rebalance] = []
  var count = 0
  var strays: [String] = []
  private(set) var consumer: Consumer?

  init(_ configuration: Configuration, positions: @escaping (TopicPartition) -> Int64 = { _ in 0 }) throws {
    consumer = try Consumer(configuration) { [unowned self] consumer, rebalance in
      rebalances.append(rebalance)
      do {
        switch rebalance {
        case .assigned(let partitions):
          try consumer.assign(partitions.map { ($0, offset: positions($0)) })
          owned.formUnion(partitions)
        case .revoked(let partitions), .lost(let partitions):
          try consumer.unassign(partitions)
          owned.subtract(partitions)
        }
      } catch {
        strays.append("\(error)")
      }
    }
  }

  func step(maximum: Int = 100, timeout: Int32 = 20) throws {
    try consumer?.poll(maximum: maximum, timeout: timeout) { message in
      if message.isError {
        if !message.isPartitionEnd { strays.append("\(message.error.map(String.init(describing:)) ?? "")") }
        return
      }
      count += 1
      if !owned.contains(TopicPartition(topic: message.topic, partition: message.partition)) {
        strays.append("\(message.topic)[\(message.partition)]@\(message.offset) is not owned")
      }
    }
  }

  func close() {
    consumer?.close(timeout: 5000)
    consumer = nil
  }
}

@Suite struct KafkaGroupTests {
  @Test(
    "two members divide the partitions, and each change arrives as revoked, then assigned",
    arguments: ["range", "cooperative-sticky"]
  )
  func division(strategy: String) throws {
    let broker = try Broker.running()
    let topic = try broker.createTopic(partitions: 4)
    try KafkaFixture.fill(broker, topic, partitions: 4, each: 1000)
    var configuration = KafkaFixture.consumer(broker)
    configuration["partition.assignment.strategy"] = strategy
    let all = Set(KafkaFixture.partitions(topic, 4))

    let first = try Member(configuration)
    defer { first.close() }
    try first.consumer?.subscribe([topic])
    #expect(try KafkaFixture.wait(until: { first.owned == all && first.count >= 4000 }) { try first.step() })
    #expect(first.consumer?.isCooperative == (strategy == "cooperative-sticky"))
    #expect(try first.consumer.map { Set(try $0.assignment()) } == all)

    let second = try Member(configuration)
    defer { second.close() }
    try second.consumer?.subscribe([topic])
    #expect(
      try KafkaFixture.wait(until: { first.owned.count == 2 && second.owned.count == 2 }) {
        try first.step()
        try second.step()
      },
      "\(first.rebalances) \(second.rebalances)"
    )
    #expect(first.owned.isDisjoint(with: second.owned))
    #expect(first.owned.union(second.owned) == all)
    let reported = first.rebalances.dropFirst()
    #expect(reported.contains { if case .revoked = $0 { true } else { false } }, "\(reported)")

    second.close()
    #expect(second.owned.isEmpty)
    #expect(try KafkaFixture.wait(until: { first.owned == all }) { try first.step() }, "\(first.rebalances)")
    #expect(
      first.strays.isEmpty && second.strays.isEmpty,
      "\(first.strays.prefix(3)) \(second.strays.prefix(3))"
    )
  }

  @Test("a member that comes and goes never makes another see a message of a partition that it has given up")
  func churn() throws {
    let broker = try Broker.running()
    let topic = try broker.createTopic(partitions: 4)
    try KafkaFixture.fill(broker, topic, partitions: 4, each: 50_000)
    let configuration = KafkaFixture.consumer(broker)
    let first = try Member(configuration)
    defer { first.close() }
    try first.consumer?.subscribe([topic])
    #expect(try KafkaFixture.wait(until: { first.owned.count == 4 }) { try first.step(maximum: 7) })
    do {
      let second = try Member(configuration)
      defer { second.close() }
      try second.consumer?.subscribe([topic])
      #expect(
        try KafkaFixture.wait(until: { first.owned.count == 2 && second.owned.count == 2 }) {
          try first.step(maximum: 7, timeout: 1)
          try second.step(maximum: 7, timeout: 1)
        }
      )
      second.close()
      #expect(try KafkaFixture.wait(until: { first.owned.count == 4 }) { try first.step(maximum: 7) })
      #expect(second.strays.isEmpty, "\(second.strays.prefix(3))")
    }
    #expect(first.strays.isEmpty, "\(first.strays.prefix(3))")
  }

  @Test("a regular expression subscribes to topics that match, also to one that is created later")
  func regularExpression() throws {
    let broker = try Broker.running()
    let prefix = Broker.uniqueTopic("raw")
    try broker.createTopic("\(prefix)_1", partitions: 2)
    var configuration = KafkaFixture.consumer(broker)
    configuration["topic.metadata.refresh.interval.ms"] = "1000"
    let member = try Member(configuration)
    defer { member.close() }
    try member.consumer?.subscribe(["^\(prefix)_.*"])
    #expect(try KafkaFixture.wait(until: { member.owned.count == 2 }) { try member.step() })
    try broker.createTopic("\(prefix)_2", partitions: 1)
    #expect(
      try KafkaFixture.wait(until: { member.owned.count == 3 }) { try member.step() },
      "\(member.rebalances)"
    )
    #expect(Set(member.owned.map(\.topic)) == ["\(prefix)_1", "\(prefix)_2"])
    #expect(member.strays.isEmpty, "\(member.strays)")
  }

  @Test(
    "an assignment may be answered after the handler has returned, and be paused until positions are known",
    arguments: [false, true]
  )
  func answeredLater(isLate: Bool) throws {
    let broker = try Broker.running()
    let topic = try broker.createTopic(partitions: 2)
    try KafkaFixture.fill(broker, topic, partitions: 2, each: 10)
    var pending: [TopicPartition] = []
    let consumer = try Consumer(KafkaFixture.consumer(broker)) { consumer, rebalance in
      if case .assigned(let partitions) = rebalance {
        pending = partitions
        if !isLate { try? consumer.assign(partitions.map { ($0, offset: 0) }, paused: true) }
      }
    }
    defer { consumer.close(timeout: 5000) }
    try consumer.subscribe([topic])
    #expect(
      try KafkaFixture.wait(until: { !pending.isEmpty }) {
        try consumer.poll(maximum: 10, timeout: 20) { _ in }
      }
    )
    for _ in 0..<10 { #expect(try consumer.poll(maximum: 10, timeout: 20) { _ in } == 0) }
    if isLate { try consumer.assign(pending.map { ($0, offset: 0) }, paused: true) }
    try consumer.resume(pending.map { ($0, offset: 7) }, timeout: 5000)
    var offsets: [Int64] = []
    #expect(
      try KafkaFixture.wait(until: { offsets.count == 6 }) {
        try consumer.poll(maximum: 10, timeout: 20) { if !$0.isError { offsets.append($0.offset) } }
      }
    )
    #expect(offsets.sorted() == [7, 7, 8, 8, 9, 9])
  }

  @Test("a commit from another thread reaches the group; one that is refused is reported")
  func commit() throws {
    let broker = try Broker.running()
    let topic = try broker.createTopic(partitions: 2)
    let configuration = KafkaFixture.consumer(broker)
    let observations = Collected<KafkaObservation>()
    let consumer = try Consumer(configuration, observe: observations.append) { consumer, rebalance in
      if case .assigned(let partitions) = rebalance {
        try? consumer.assign(partitions.map { ($0, offset: 0) })
      }
    }
    defer { consumer.close(timeout: 5000) }
    try consumer.subscribe([topic])
    #expect(
      try KafkaFixture.wait(until: { try consumer.assignment().count == 2 }) {
        try consumer.poll(maximum: 10, timeout: 20) { _ in }
      }
    )
    let partitions = KafkaFixture.partitions(topic, 2)
    let handle = consumer.handle
    Thread { try? handle.commit([(partitions[0], nextOffset: 42)]) }.start()
    #expect(
      try KafkaFixture.wait(until: {
        try consumer.committed(partitions, timeout: 5000) == [partitions[0]: 42]
      }) { try consumer.poll(maximum: 10, timeout: 20) { _ in } }
    )
    #expect(!observations.all.contains { if case .commitFailed = $0 { true } else { false } })

    // A consumer that is not in the group may not commit for it.
    let stranger = try Consumer(configuration, observe: observations.append) { _, _ in }
    defer { stranger.close(timeout: 5000) }
    try stranger.commit([(partitions[0], nextOffset: 1)])
    #expect(
      try KafkaFixture.wait(until: {
        observations.all.contains { if case .commitFailed = $0 { true } else { false } }
      }) {
        try stranger.poll(maximum: 10, timeout: 20) { _ in }
        try consumer.poll(maximum: 10, timeout: 20) { _ in }
      }
    )
    #expect(try consumer.committed(partitions, timeout: 5000) == [partitions[0]: 42])
  }

  @Test("a member that leaves answers no assignment that comes meanwhile: the response could wait for ever")
  func assignedWhileLeaving() throws {
    let cluster = try MockCluster(brokers: 1)
    let topic = Broker.uniqueTopic()
    try cluster.createTopic(topic, partitions: 2)
    var configuration = Configuration(brokers: cluster.address)
    configuration["group.id"] = topic
    configuration["session.timeout.ms"] = "6000"
    configuration.tellOfTheGroup()
    let log = Collected<String>()
    let rebalances = Collected<Rebalance>()
    let observe: @Sendable (KafkaObservation) -> Void = {
      if case .log(_, _, let text) = $0 { log.append(text) }
    }
    func hasSaid(_ text: String) -> Bool { log.all.contains { $0.contains(text) } }
    let consumer = try Consumer(configuration, observe: observe) { _, rebalance in
      rebalances.append(rebalance)
    }
    try consumer.subscribe([topic])
    // The assignment waits to be polled.
    try waitUntil("it is there", within: .seconds(30), seen: { "\(log.all.count) lines" }) {
      hasSaid("delegating assign")
    }
    consumer.close(timeout: 10_000)
    #expect(rebalances.all.isEmpty, "\(rebalances.all)")
    #expect(hasSaid("sub-system terminated"), "the group was not left: \(log.all.suffix(10))")
    withExtendedLifetime(cluster) {}
  }

  @Test("a poll that waits is woken from another thread")
  func wake() throws {
    let broker = try Broker.running()
    let consumer = try Consumer(KafkaFixture.consumer(broker)) { _, _ in }
    defer { consumer.close(timeout: 5000) }
    let handle = consumer.handle
    let start = ContinuousClock.now
    handle.wake()
    try consumer.poll(maximum: 10, timeout: 20_000) { _ in }
    Thread {
      usleep(50_000)
      handle.wake()
    }.start()
    try consumer.poll(maximum: 10, timeout: 20_000) { _ in }
    #expect(ContinuousClock.now - start < .seconds(10))
  }
}
