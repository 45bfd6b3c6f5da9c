import CountStore
import Kafka
import Threading

/// Asks the brokers every few seconds for the ends of the assigned partitions' logs, and so whether one answers.
///
/// The polling loop does not know: what librdkafka remembers of a fetch does not change while partitions are paused, as
/// they are while PostgreSQL is away, or while a broker is silent. On a thread of its own, since a response may take
/// its time.
final class BrokerWatch: Sendable {
  /// What the brokers have answered since the last call.
  struct Answers: Sendable {
    var ends: [PartitionKey: Int64] = [:]
    /// When the newest of `ends` were asked for.
    var endsAt = ContinuousClock.now
    /// When a broker answered last.
    var answeredAt: ContinuousClock.Instant?
    /// Why none did, at the last attempt.
    var error: KafkaError?
  }

  private static let interval: Int64 = 3_000
  private static let timeout: Int32 = 1_000
  /// For one leader, after all together were too slow.
  private static let shortTimeout: Int32 = 300
  private static let budget = Duration.seconds(2)

  private struct State: Sendable {
    var partitions: [PartitionKey] = []
    var answers = Answers()
  }

  private let state = Lock(State())
  /// Never filled, only closed.
  private let stopping = Mailbox<Bool>()
  private let observe: @Sendable (IngestionObservation) -> Void

  init(observe: @escaping @Sendable (IngestionObservation) -> Void) { self.observe = observe }

  func start(_ handle: ConsumerHandle) {
    requireThread(name: "broker-watch") { [self] in
      var turn = 0
      while !stopping.hasClosed {
        look(handle, turn)
        turn &+= 1
        stopping.sleep(milliseconds: Self.interval)
      }
    }
  }

  /// Ends the thread after the request in progress, which takes a second at most.
  func stop() { stopping.close() }

  /// Sets the assigned partitions, and returns what was found of them.
  func exchange(_ partitions: [PartitionKey]) -> Answers {
    state.withLock { state in
      state.partitions = partitions
      defer { state.answers.ends = [:] }
      return state.answers
    }
  }

  private func look(_ handle: ConsumerHandle, _ turn: Int) {
    let partitions = state.withLock { $0.partitions }
    let began = ContinuousClock.now
    do throws(KafkaError) {
      if partitions.isEmpty {
        try handle.reachBroker(timeout: Self.timeout)
      } else {
        record(try handle.ends(of: partitions.map(\.topicPartition), timeout: Self.timeout), at: began)
      }
    } catch {
      guard !stopping.hasClosed else { return }
      let found = askEach(handle, partitions, from: turn)
      record(found, at: began)
      if found.isEmpty {
        do throws(KafkaError) {
          try handle.reachBroker(timeout: Self.timeout)
        } catch {
          return state.withLock { $0.answers.error = error }
        }
      }
    }
    state.withLock { state in
      state.answers.answeredAt = .now
      state.answers.error = nil
    }
    observe(.backgroundSucceeded(.broker))
  }

  /// One silent leader must not hide the ends that other leaders return. Each turn begins with another partition.
  private func askEach(_ handle: ConsumerHandle, _ partitions: [PartitionKey], from turn: Int)
    -> [TopicPartition: Int64]
  {
    guard partitions.count > 1 else { return [:] }
    let deadline = ContinuousClock.now + Self.budget
    var ends: [TopicPartition: Int64] = [:]
    for index in partitions.indices where ContinuousClock.now < deadline && !stopping.hasClosed {
      let key = partitions[(index &+ turn) % partitions.count]
      if let end = try? handle.ends(of: [key.topicPartition], timeout: Self.shortTimeout) {
        ends.merge(end) { $1 }
      }
    }
    return ends
  }

  private func record(_ ends: [TopicPartition: Int64], at time: ContinuousClock.Instant) {
    state.withLock { state in
      for (partition, end) in ends { state.answers.ends[PartitionKey(partition)] = end }
      state.answers.endsAt = time
    }
  }
}
