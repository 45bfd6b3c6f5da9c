import CLibrdkafka
import Threading
import Synchronization

/// What other threads than the polling one may do with a consumer, also after it has been closed (then nothing):
/// commit, wake, ask a broker.
public final class ConsumerHandle: Sendable {
  /// Sendable, because librdkafka's functions may be called from any thread; what they must not be is called during
  /// or after its destruction, which is what the lock around this is for.
  private struct Pointers: @unchecked Sendable {
    let client: OpaquePointer
    let queue: OpaquePointer
  }

  private let pointers: Lock<Pointers?>
  /// Requests to brokers that are in progress: the client is not destroyed meanwhile. Not under `pointers`,
  /// which nothing holds for long.
  private let requests = Monitor(0)
  /// librdkafka forgets a wake-up that comes while no thread waits; this does not.
  private let isWoken = Atomic(false)

  init(client: OpaquePointer, queue: OpaquePointer) {
    pointers = Lock(Pointers(client: client, queue: queue))
  }

  /// Commits this consumer's positions to the group, for tools that show lag: each offset is the next one to be read.
  ///
  /// Returns at once; a failure, also of the broker, comes as `KafkaObservation.commitFailed`. Offsets of partitions
  /// that the member does not own are refused by the broker.
  public func commit(_ positions: [(TopicPartition, nextOffset: Int64)]) throws(KafkaError) {
    guard !positions.isEmpty else { return }
    let code = pointers.withLock { pointers in
      guard let client = pointers?.client else { return RD_KAFKA_RESP_ERR_NO_ERROR }
      let list = TopicPartitionList(positions.map { ($0, offset: $1) })
      return list.withPointer { rd_kafka_commit(client, $0, 1) }
    }
    if code != RD_KAFKA_RESP_ERR_NO_ERROR {
      throw KafkaError(code: code, message: "commit: \(String(cString: rd_kafka_err2str(code)))")
    }
  }

  /// Makes a `Consumer.poll` that waits return; without one, the next wait returns at once.
  public func wake() {
    isWoken.store(true, ordering: .sequentiallyConsistent)
    pointers.withLock { pointers in
      if let queue = pointers?.queue { rd_kafka_queue_yield(queue) }
    }
  }

  /// Whether `wake` was called since the last time.
  func takeWake() -> Bool { isWoken.exchange(false, ordering: .sequentiallyConsistent) }

  /// Asks with the client, which may take a while.
  /// - Returns: nil when the consumer has been closed.
  func ask<Result>(_ request: (OpaquePointer) -> Result) -> Result? {
    requests.withLock { $0 += 1 }
    defer { requests.changeForAll { $0 -= 1 } }
    guard let client = pointers.withLock({ $0?.client }) else { return nil }
    return request(client)
  }

  /// Ends all use; returns when the last request has ended.
  func invalidate() {
    pointers.withLock { $0 = nil }
    requests.wait { $0 == 0 ? () : nil }
  }
}
