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

  /// The number of a topic's partitions, asked from the broker.
  public func partitionCount(of topic: String, timeout milliseconds: Int32) throws(KafkaError) -> Int32 {
    requireOpen()
    return try NativeClient.partitionCount(client, topic, timeout: milliseconds)
  }
}

extension NativeClient {
  static func partitionCount(
    _ client: OpaquePointer,
    _ topic: String,
    timeout: Int32
  ) throws(KafkaError) -> Int32 {
    guard let handle = rd_kafka_topic_new(client, topic, nil) else {
      throw KafkaError(code: rd_kafka_last_error(), message: "topic \(topic) is refused")
    }
    defer { rd_kafka_topic_destroy(handle) }
    var answer: UnsafePointer<rd_kafka_metadata>?
    let code = rd_kafka_metadata(client, 0, handle, &answer, timeout)
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
}
