import CLibrdkafka

/// Sends messages in the background, batched by `linger.ms` and `batch.size`; used by one thread at a time.
public final class Producer {
  /// How long `produce` waits for room in a full queue (`queue.buffering.max.messages`, `…max.kbytes`), milliseconds.
  public var queueFullTimeout: Int32 = 30_000

  private let client: OpaquePointer
  private let context: ProducerContext
  private var topics: [String: OpaquePointer] = [:]
  private var producedSincePoll = 0
  private var isClosed = false

  /// Makes a producer; it connects by itself.
  ///
  /// - Throws: a setting that is refused, by name; a librdkafka that is too old.
  public init(
    _ configuration: Configuration,
    observe: @escaping @Sendable (KafkaObservation) -> Void = { _ in }
  ) throws(KafkaError) {
    let context = ProducerContext(observe: observe)
    client = try NativeClient.make(
      RD_KAFKA_PRODUCER,
      configuration,
      context: context,
      register: context.registerProducer
    )
    self.context = context
  }

  deinit { close(timeout: 0) }

  /// Messages that a broker has acknowledged, as of the last `poll`, `produce` or `flush`.
  public var delivered: Int { context.delivered }
  /// Messages that were given up.
  public var deliveryFailures: Int { context.failed }
  /// Why the first of them was.
  public var firstDeliveryFailure: KafkaError? { context.firstFailure }
  /// Messages that are neither delivered nor given up.
  public var outstanding: Int { isClosed ? 0 : Int(rd_kafka_outq_len(client)) }

  /// Queues one message; bytes are copied. `delivered` and `deliveryFailures` say whether it arrived.
  ///
  /// - Parameters:
  ///   - partition: `nil` lets the key's hash decide (or chance, without a key).
  ///   - payload: `nil` is a tombstone, which is not the same as no bytes.
  /// - Throws: `_QUEUE_FULL` after `queueFullTimeout`; `MSG_SIZE_TOO_LARGE`; an unknown topic or partition, once that
  ///   is known.
  public func produce(
    topic: String,
    partition: Int32? = nil,
    key: UnsafeRawBufferPointer? = nil,
    payload: UnsafeRawBufferPointer?
  ) throws(KafkaError) {
    precondition(!isClosed, "the producer has been closed")
    let handle = try self.handle(of: topic)
    let partition = partition ?? -1  // RD_KAFKA_PARTITION_UA, "unassigned"
    // Delivery reports are served here too, so that a caller that only produces does not fill the queue with them.
    producedSincePoll += 1
    if producedSincePoll >= 1000 { poll() }
    if enqueue(handle, partition, key, payload) { return }
    let deadline = Deadline(milliseconds: queueFullTimeout)
    while rd_kafka_last_error() == RD_KAFKA_RESP_ERR__QUEUE_FULL, !deadline.hasPassed {
      poll(timeout: min(100, deadline.remaining))
      if enqueue(handle, partition, key, payload) { return }
    }
    throw KafkaError(
      code: rd_kafka_last_error(),
      partitions: [TopicPartition(topic: topic, partition: partition)]
    )
  }

  /// Receives acknowledgements, waiting up to `timeout` for the first; for a caller that produces seldom.
  public func poll(timeout milliseconds: Int32 = 0) {
    precondition(!isClosed, "the producer has been closed")
    producedSincePoll = 0
    rd_kafka_poll(client, milliseconds)
  }

  /// Waits until every message is delivered or given up.
  ///
  /// - Throws: `_TIMED_OUT` when some are outstanding at the end of the time. A failed delivery is not thrown.
  public func flush(timeout milliseconds: Int32) throws(KafkaError) {
    precondition(!isClosed, "the producer has been closed")
    let code = rd_kafka_flush(client, milliseconds)
    guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
    throw KafkaError(code: code, message: "flush: \(outstanding) messages are not delivered yet")
  }

  /// The error that ended this producer, `nil` while it works.
  public var fatalError: KafkaError? { isClosed ? nil : Kafka.fatalError(of: client) }

  /// The number of a topic's partitions, asked from the broker.
  public func partitionCount(of topic: String, timeout milliseconds: Int32) throws(KafkaError) -> Int32 {
    precondition(!isClosed, "the producer has been closed")
    var answer: UnsafePointer<rd_kafka_metadata>?
    let code = rd_kafka_metadata(client, 0, try handle(of: topic), &answer, milliseconds)
    guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let answer else {
      throw KafkaError(
        code: code,
        message: "metadata of topic \(topic): \(String(cString: rd_kafka_err2str(code)))"
      )
    }
    defer { rd_kafka_metadata_destroy(answer) }
    guard answer.pointee.topic_cnt > 0, let found = answer.pointee.topics else {
      throw KafkaError(code: RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, message: "topic \(topic) does not exist")
    }
    guard found.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR else {
      throw KafkaError(
        code: found.pointee.err,
        message: "topic \(topic): \(String(cString: rd_kafka_err2str(found.pointee.err)))"
      )
    }
    return found.pointee.partition_cnt
  }

  /// Ends the producer within `timeout`; what is not delivered is dropped, so `flush` first.
  public func close(timeout milliseconds: Int32) {
    guard !isClosed else { return }
    isClosed = true
    rd_kafka_purge(client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING)
    for handle in topics.values { rd_kafka_topic_destroy(handle) }
    topics = [:]
    NativeClient.destroy(client, context, flags: 0, by: Deadline(milliseconds: milliseconds))
  }

  private func handle(of topic: String) throws(KafkaError) -> OpaquePointer {
    if let known = topics[topic] { return known }
    guard let made = rd_kafka_topic_new(client, topic, nil) else {
      throw KafkaError(code: rd_kafka_last_error(), message: "topic \(topic) is refused")
    }
    topics[topic] = made
    return made
  }

  private func enqueue(
    _ topic: OpaquePointer,
    _ partition: Int32,
    _ key: UnsafeRawBufferPointer?,
    _ payload: UnsafeRawBufferPointer?
  ) -> Bool {
    rd_kafka_produce(
      topic,
      partition,
      RD_KAFKA_MSG_F_COPY,
      UnsafeMutableRawPointer(mutating: Self.start(payload)),
      payload?.count ?? 0,
      Self.start(key),
      key?.count ?? 0,
      nil
    ) == 0
  }

  /// No bytes must not become NULL, which would make an empty value a tombstone.
  private static func start(_ bytes: UnsafeRawBufferPointer?) -> UnsafeRawPointer? {
    guard let bytes else { return nil }
    return bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1)
  }
}
