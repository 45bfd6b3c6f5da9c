import CLibrdkafka

/// An error of librdkafka or of the broker.
public struct KafkaError: Error, Sendable, CustomStringConvertible {
  /// `rd_kafka_resp_err_t`: negative values are librdkafka's own, positive ones came from a broker.
  public let code: Int32
  /// The code's symbolic name, e.g. `_TIMED_OUT` (librdkafka's own begin with `_`) or `TOPIC_AUTHORIZATION_FAILED`.
  public let name: String
  /// What happened, in words; secrets of the configuration are never in it.
  public let message: String
  /// Nothing can be done with this client any more: a fenced static member, an idempotent producer in disorder.
  public let isFatal: Bool
  /// The same call may work later.
  public let isRetriable: Bool
  /// The partitions that the error is about, where it is about some.
  public let partitions: [TopicPartition]

  /// The broker's end of the partition has been reached: not a failure (`enable.partition.eof`).
  public var isPartitionEnd: Bool { code == RD_KAFKA_RESP_ERR__PARTITION_EOF.rawValue }
  /// The call's time ran out.
  public var isTimeout: Bool {
    code == RD_KAFKA_RESP_ERR__TIMED_OUT.rawValue || code == RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE.rawValue
  }
  /// The position is outside of the log (with `auto.offset.reset=error`).
  public var isOffsetOutOfRange: Bool {
    code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET.rawValue
      || code == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE.rawValue
  }
  /// Messages of a partition could not be read: their checksum is wrong, their compression or format is not known or
  /// broken, they are larger than may be fetched; or the broker fails to read them. librdkafka may go on *behind* them.
  public var concernsMessages: Bool {
    Self.messageErrors.contains(code)
  }
  /// The topic or the partition does not exist.
  public var isUnknownTopicOrPartition: Bool {
    code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART.rawValue
      || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC.rawValue
      || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION.rawValue
  }

  /// e.g. `_TIMED_OUT: Failed to query watermark offsets (raw_camera_events[3])`.
  public var description: String {
    var text = "\(name): \(message)"
    if !partitions.isEmpty {
      let named = partitions.prefix(5).map(\.description).joined(separator: ", ")
      text += " (\(named)\(partitions.count > 5 ? " and \(partitions.count - 5) more" : ""))"
    }
    return text
  }

  init(
    code: rd_kafka_resp_err_t,
    message: String? = nil,
    isFatal: Bool = false,
    isRetriable: Bool? = nil,
    partitions: [TopicPartition] = []
  ) {
    self.code = code.rawValue
    name = rd_kafka_err2name(code).map { String(cString: $0) } ?? "ERR_\(code.rawValue)"
    self.message = message ?? String(cString: rd_kafka_err2str(code))
    self.isFatal = isFatal || code == RD_KAFKA_RESP_ERR__FATAL || code == RD_KAFKA_RESP_ERR__FENCED
    self.isRetriable = isRetriable ?? Self.retriable.contains(code.rawValue)
    self.partitions = partitions
  }

  /// Takes over an `rd_kafka_error_t`, which is freed; `nil` in, `nil` out.
  init?(consuming error: OpaquePointer?, message context: String? = nil, partitions: [TopicPartition] = []) {
    guard let error else { return nil }
    defer { rd_kafka_error_destroy(error) }
    let text = String(cString: rd_kafka_error_string(error))
    self.init(
      code: rd_kafka_error_code(error),
      message: context.map { "\($0): \(text)" } ?? text,
      isFatal: rd_kafka_error_is_fatal(error) != 0,
      isRetriable: rd_kafka_error_is_retriable(error) != 0,
      partitions: partitions
    )
  }

  private static let messageErrors: Set<Int32> = Set(
    [
      RD_KAFKA_RESP_ERR__BAD_MSG, RD_KAFKA_RESP_ERR__BAD_COMPRESSION, RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED,
      RD_KAFKA_RESP_ERR__UNDERFLOW, RD_KAFKA_RESP_ERR__PARTIAL, RD_KAFKA_RESP_ERR__INVALID_TYPE,
      RD_KAFKA_RESP_ERR_UNKNOWN, RD_KAFKA_RESP_ERR_INVALID_MSG, RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE,
      RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT,
      RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE,
    ].map(\.rawValue)
  )

  /// Codes after which trying again is sensible; the library only says so itself for `rd_kafka_error_t`.
  private static let retriable: Set<Int32> = Set(
    [
      RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, RD_KAFKA_RESP_ERR__TRANSPORT,
      RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__RESOLVE, RD_KAFKA_RESP_ERR__WAIT_COORD,
      RD_KAFKA_RESP_ERR__QUEUE_FULL, RD_KAFKA_RESP_ERR__IN_PROGRESS, RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS,
      RD_KAFKA_RESP_ERR__RETRY, RD_KAFKA_RESP_ERR__WAIT_CACHE, RD_KAFKA_RESP_ERR__STATE,
      RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
      RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE,
      RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION,
      RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
      RD_KAFKA_RESP_ERR_NOT_COORDINATOR, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
      RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
      RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE,
      RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED,
      RD_KAFKA_RESP_ERR_FETCH_SESSION_ID_NOT_FOUND, RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH,
      RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH,
    ].map(\.rawValue)
  )
}
