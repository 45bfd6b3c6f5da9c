import CLibrdkafka

/// Owner of an `rd_kafka_topic_partition_list_t`.
struct TopicPartitionList: ~Copyable {
  private let pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

  init(capacity: Int) {
    pointer = rd_kafka_topic_partition_list_new(Int32(clamping: capacity))
  }

  /// Takes over a list that librdkafka made for us.
  init(owning pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) {
    self.pointer = pointer
  }

  init(_ partitions: [TopicPartition]) {
    self.init(capacity: partitions.count)
    for one in partitions { rd_kafka_topic_partition_list_add(pointer, one.topic, one.partition) }
  }

  init(_ positions: [(TopicPartition, offset: Int64)]) {
    self.init(capacity: positions.count)
    for (one, offset) in positions {
      if let element = rd_kafka_topic_partition_list_add(pointer, one.topic, one.partition) {
        element.pointee.offset = offset
      }
    }
  }

  deinit { rd_kafka_topic_partition_list_destroy(pointer) }

  /// Lends the list: as long as the body runs, and only then, it is sure to be alive.
  borrowing func withPointer<Result>(
    _ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) -> Result
  ) -> Result {
    body(pointer)
  }

  var partitions: [TopicPartition] { Self.partitions(pointer) }

  /// The elements' errors, as one error that names all partitions with the first one's code; `nil` without any.
  func failure(of action: String) -> KafkaError? {
    let failed = Self.elements(pointer).filter { $0.err != RD_KAFKA_RESP_ERR_NO_ERROR }
    guard let first = failed.first else { return nil }
    return KafkaError(
      code: first.err,
      message: "\(action): \(String(cString: rd_kafka_err2str(first.err)))",
      partitions: failed.map(TopicPartition.init)
    )
  }

  static func elements(
    _ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>
  ) -> UnsafeBufferPointer<rd_kafka_topic_partition_t> {
    UnsafeBufferPointer(start: list.pointee.elems, count: Int(list.pointee.cnt))
  }

  /// Copies a list that stays librdkafka's.
  static func partitions(
    _ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
  ) -> [TopicPartition] {
    list.map { elements($0).map(TopicPartition.init) } ?? []
  }
}

extension TopicPartition {
  init(_ element: rd_kafka_topic_partition_t) {
    self.init(topic: element.topic.map { String(cString: $0) } ?? "", partition: element.partition)
  }
}
