import CLibrdkafka

extension Consumer {
  /// Asks the broker for the offset of the first message that is still there and the one that the next message will
  /// have.
  public func watermarks(
    of partition: TopicPartition,
    timeout milliseconds: Int32
  ) throws(KafkaError) -> (low: Int64, high: Int64) {
    requireOpen()
    var low: Int64 = 0
    var high: Int64 = 0
    let code = rd_kafka_query_watermark_offsets(
      client,
      partition.topic,
      partition.partition,
      &low,
      &high,
      milliseconds
    )
    guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
      throw KafkaError(code: code, message: "watermarks: \(text(code))", partitions: [partition])
    }
    return (low, high)
  }

  /// The same as of the last fetch, without asking; `nil` before the first one.
  public func cachedWatermarks(of partition: TopicPartition) -> (low: Int64, high: Int64)? {
    requireOpen()
    var low: Int64 = 0
    var high: Int64 = 0
    let code = rd_kafka_get_watermark_offsets(client, partition.topic, partition.partition, &low, &high)
    // RD_KAFKA_OFFSET_INVALID (-1001) stands for "not known yet".
    guard code == RD_KAFKA_RESP_ERR_NO_ERROR, low >= 0, high >= 0 else { return nil }
    return (low, high)
  }

  /// The offsets that the group has committed; `nil` where it has not.
  public func committed(
    _ partitions: [TopicPartition],
    timeout milliseconds: Int32
  ) throws(KafkaError) -> [TopicPartition: Int64] {
    requireOpen()
    let list = TopicPartitionList(partitions)
    let code = list.withPointer { rd_kafka_committed(client, $0, milliseconds) }
    guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
      throw KafkaError(code: code, message: "committed: \(text(code))", partitions: partitions)
    }
    if let failure = list.failure(of: "committed") { throw failure }
    var offsets: [TopicPartition: Int64] = [:]
    list.withPointer {
      for element in TopicPartitionList.elements($0) where element.offset >= 0 {
        offsets[TopicPartition(element)] = element.offset
      }
    }
    return offsets
  }
}
