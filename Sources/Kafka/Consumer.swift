import CLibrdkafka

/// A member of a consumer group.
///
/// Used by one thread at a time; `handle` is what other threads may use. Offsets are never stored or committed unless
/// the caller does it: set `enable.auto.commit=false`, or librdkafka will.
public final class Consumer {
  /// For other threads: commit and wake.
  public let handle: ConsumerHandle

  let client: OpaquePointer
  let context: ConsumerContext
  private let queue: OpaquePointer
  private let rebalance: (Consumer, Rebalance) -> Void
  private var batch: UnsafeMutableBufferPointer<UnsafeMutablePointer<rd_kafka_message_t>?>
  private var isHandingOut = false
  /// What `pause` has paused and `resume` has not resumed.
  var paused: Set<TopicPartition> = []
  private var hasAnsweredRebalance = false
  private var hasObservedFatalError = false
  private var isLeaving = false
  /// Nothing but this property may be used when it is true.
  public private(set) var isClosed = false

  /// Makes a consumer; nothing is connected before `subscribe` or `assign`. `group.id` must be set.
  ///
  /// - Parameter rebalance: runs inside `poll` (or `close`), on its thread, after all messages fetched before have
  ///   been handed out. It answers with `assign` or `unassign`.
  /// - Throws: a setting that is refused, by name; a librdkafka that is too old.
  public init(
    _ configuration: Configuration,
    observe: @escaping @Sendable (KafkaObservation) -> Void = { _ in },
    rebalance: @escaping (Consumer, Rebalance) -> Void
  ) throws(KafkaError) {
    guard configuration["group.id"]?.isEmpty == false else {
      throw KafkaError(code: RD_KAFKA_RESP_ERR__INVALID_ARG, message: "Kafka setting group.id: is missing")
    }
    let context = ConsumerContext(observe: observe)
    let client = try NativeClient.make(
      RD_KAFKA_CONSUMER,
      configuration,
      context: context,
      register: context.registerConsumer
    )
    // Errors and statistics come through the one queue that is polled.
    rd_kafka_poll_set_consumer(client)
    guard let queue = rd_kafka_queue_get_consumer(client) else {
      NativeClient.destroy(client, context, flags: 0, by: Deadline(milliseconds: 5000))
      throw KafkaError(code: RD_KAFKA_RESP_ERR__UNKNOWN_GROUP)
    }
    context.queue = queue
    self.context = context
    self.client = client
    self.queue = queue
    self.rebalance = rebalance
    batch = .allocate(capacity: 1024)
    handle = ConsumerHandle(client: client, queue: queue)
  }

  deinit {
    // Without leaving the group: nothing is left that could answer the rebalance.
    if !isClosed { end(by: Deadline(milliseconds: 0)) }
    batch.deallocate()
  }

  /// Joins the group for these topics; an entry that begins with `^` is a regular expression, which also finds topics
  /// that are created later (after `topic.metadata.refresh.interval.ms`). A topic that does not exist is reported by
  /// `poll` as an error message.
  public func subscribe(_ topics: [String]) throws(KafkaError) {
    requireOpen()
    let list = TopicPartitionList(topics.map { TopicPartition(topic: $0, partition: -1) })
    let code = list.withPointer { rd_kafka_subscribe(client, $0) }
    if code != RD_KAFKA_RESP_ERR_NO_ERROR {
      throw KafkaError(code: code, message: "subscribe to \(topics.joined(separator: ", ")): \(text(code))")
    }
  }

  /// Hands out what has arrived, at most `maximum` messages, waiting up to `timeout` for the first one.
  ///
  /// Returns the number handed out, partition ends and errors included. It returns early when a rebalance was handled
  /// or `ConsumerHandle.wake` was called. It must be called at least every `max.poll.interval.ms`; where no message is
  /// wanted, pause the partitions and go on polling, since rebalances come through the same queue.
  ///
  /// - Parameter body: gets each message in the order of its partition; it must not call the consumer.
  /// - Throws: the fatal error, once there is one; nothing else ends a consumer.
  @discardableResult
  public func poll(
    maximum: Int,
    timeout milliseconds: Int32,
    _ body: (borrowing Message) -> Void
  ) throws(KafkaError) -> Int {
    requireOpen()
    // librdkafka waits for a full batch: so take what is there, and wait only for a first message.
    var count = consume(queue, maximum, timeout: 0, body)
    let isWoken = handle.takeWake()
    if count == 0, milliseconds > 0, maximum > 0, !isWoken, context.pendingRebalances.isEmpty {
      count = consume(queue, 1, timeout: milliseconds, body)
      if count == 1, maximum > 1 { count += consume(queue, maximum - 1, timeout: 0, body) }
    }
    answerRebalances()
    if context.hasFatalError, let fatal = fatalError {
      // Unlike a producer's, a consumer's fatal error comes as a message only, not through the error callback.
      if !hasObservedFatalError { context.observe(.error(fatal)) }
      hasObservedFatalError = true
      throw fatal
    }
    return count
  }

  /// The error that ended this consumer: it can only be closed. A fenced static member is the ordinary case.
  public var fatalError: KafkaError? {
    isClosed ? nil : Kafka.fatalError(of: client)
  }

  /// Leaves the group and ends the consumer, within `timeout` whatever the broker does.
  ///
  /// The handler is called for the partitions that are given up, and not for any that the group gives meanwhile. Time
  /// that is left goes to librdkafka's threads; what does not end in time is left to end with the process.
  public func close(timeout milliseconds: Int32) {
    guard !isClosed else { return }
    requireOpen()
    isLeaving = true
    let deadline = Deadline(milliseconds: milliseconds)
    let leaving = Deadline(milliseconds: milliseconds - milliseconds / 4)
    if let closing = rd_kafka_queue_new(client) {
      context.queue = closing
      // Messages that were fetched ahead are forwarded to the new queue too, and dropped here.
      if KafkaError(consuming: rd_kafka_consumer_close_queue(client, closing)) == nil {
        while rd_kafka_consumer_closed(client) == 0, !leaving.hasPassed {
          _ = consume(closing, batch.count, timeout: min(10, leaving.remaining)) { _ in }
          answerRebalances()
        }
      }
      context.queue = nil
      rd_kafka_queue_destroy(closing)
    }
    end(by: deadline)
  }

  private func end(by deadline: Deadline) {
    isClosed = true
    handle.invalidate()
    context.queue = nil
    rd_kafka_queue_destroy(queue)
    NativeClient.destroy(client, context, flags: RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE, by: deadline)
  }

  private func consume(
    _ queue: OpaquePointer,
    _ maximum: Int,
    timeout: Int32,
    _ body: (borrowing Message) -> Void
  ) -> Int {
    if maximum > batch.count {
      batch.deallocate()
      batch = .allocate(capacity: maximum)
    }
    let count = rd_kafka_consume_batch_queue(queue, timeout, batch.baseAddress, max(0, maximum))
    isHandingOut = true
    defer { isHandingOut = false }
    for index in 0..<max(0, count) {
      guard let message = batch[index] else { continue }
      if message.pointee.err == RD_KAFKA_RESP_ERR__FATAL { context.hasFatalError = true }
      body(Message(message))
      rd_kafka_message_destroy(message)
    }
    return max(0, count)
  }

  private func answerRebalances() {
    while !context.pendingRebalances.isEmpty {
      let next = context.pendingRebalances.removeFirst()
      // librdkafka waits for no response to an assignment once it leaves; when the group ends at the moment of the
      // answer, rd_kafka_assign waits for ever (about 1 of 400 tries with 2.16.0): nothing serves the group's queue
      // any more.
      if isLeaving, case .assigned = next { continue }
      hasAnsweredRebalance = false
      rebalance(self, next)
      switch next {
      case .assigned: break  // may be answered later
      case .revoked(let partitions), .lost(let partitions):
        if !hasAnsweredRebalance { try? unassign(partitions) }
      }
    }
  }

  func recordResponse() { hasAnsweredRebalance = true }

  func requireOpen() {
    precondition(!isClosed, "the consumer has been closed")
    precondition(!isHandingOut, "the body of poll must not call the consumer")
  }

  func text(_ code: rd_kafka_resp_err_t) -> String { String(cString: rd_kafka_err2str(code)) }
}
