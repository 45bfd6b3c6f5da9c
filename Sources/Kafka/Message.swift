import CLibrdkafka

/// A message, borrowed from librdkafka for the duration of `Consumer.poll`'s body.
///
/// Nothing here allocates except `topic` and `error`. Pointers taken from it are dead when the body returns.
public struct Message: ~Copyable {
  private let pointer: UnsafeMutablePointer<rd_kafka_message_t>

  init(_ pointer: UnsafeMutablePointer<rd_kafka_message_t>) { self.pointer = pointer }

  /// The topic's identity, to look a partition up without comparing names: equal handles are equal topics.
  ///
  /// Only valid until the next change of the assignment, after which the same address may mean another topic:
  /// what is remembered by it must be forgotten in the rebalance handler. `nil` for an error of the consumer itself.
  public var topicHandle: UnsafeRawPointer? { pointer.pointee.rkt.map { UnsafeRawPointer($0) } }

  /// The topic's name (allocates); empty for an error of the consumer itself.
  public var topic: String {
    guard let topic = pointer.pointee.rkt, let name = rd_kafka_topic_name(topic) else { return "" }
    return String(cString: name)
  }

  /// The partition's number; -1 for an error of the consumer itself.
  public var partition: Int32 { pointer.pointee.partition }

  /// The message's offset; for a partition end, the offset that the next message will have.
  public var offset: Int64 { pointer.pointee.offset }

  /// Milliseconds since 1970, as set by the producer or by the broker; `nil` where there is none.
  public var timestamp: Int64? {
    var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
    let milliseconds = rd_kafka_message_timestamp(pointer, &type)
    return type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || milliseconds < 0 ? nil : milliseconds
  }

  /// The same where the broker has set it (`message.timestamp.type=LogAppendTime`); `nil` where the producer has.
  public var logAppendTime: Int64? {
    var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
    let milliseconds = rd_kafka_message_timestamp(pointer, &type)
    return type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME && milliseconds >= 0 ? milliseconds : nil
  }

  /// The value's bytes; `nil` is a tombstone, which is not the same as an empty value. `nil` where `isError`.
  public var payload: UnsafeRawBufferPointer? {
    // An error's payload is its text, never a value.
    guard !isError, let start = pointer.pointee.payload else { return nil }
    return UnsafeRawBufferPointer(start: start, count: pointer.pointee.len)
  }

  /// The key's bytes, `nil` without a key.
  public var key: UnsafeRawBufferPointer? {
    guard !isError, let start = pointer.pointee.key else { return nil }
    return UnsafeRawBufferPointer(start: start, count: pointer.pointee.key_len)
  }

  /// Not a message but an event of the consumer: `isPartitionEnd` or `error`.
  public var isError: Bool { pointer.pointee.err != RD_KAFKA_RESP_ERR_NO_ERROR }

  /// Everything that the partition held has been delivered (needs `enable.partition.eof=true`); reported once per
  /// time that the end is reached, so again after new messages or a seek.
  public var isPartitionEnd: Bool { pointer.pointee.err == RD_KAFKA_RESP_ERR__PARTITION_EOF }

  /// The error, of this partition where `topicHandle` is set, else of the consumer; `nil` for a message. It
  /// includes the partition end, as an error that is one (`KafkaError.isPartitionEnd`).
  public var error: KafkaError? {
    guard isError else { return nil }
    let text = rd_kafka_message_errstr(pointer).map { String(cString: $0) }
    let partitions =
      topicHandle == nil || partition < 0 ? [] : [TopicPartition(topic: topic, partition: partition)]
    return KafkaError(code: pointer.pointee.err, message: text, partitions: partitions)
  }
}
