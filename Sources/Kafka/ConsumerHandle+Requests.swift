import CLibrdkafka

extension ConsumerHandle {
  /// Asks a broker for its metadata, which shows whether one answers.
  ///
  /// - Throws: a broker that cannot be reached, or is silent for longer than `timeout` milliseconds.
  public func reachBroker(timeout milliseconds: Int32) throws(KafkaError) {
    let code = ask { client in
      var metadata: UnsafePointer<rd_kafka_metadata>?
      defer { if let metadata { rd_kafka_metadata_destroy(metadata) } }
      return rd_kafka_metadata(client, 0, nil, &metadata, milliseconds)
    }
    guard let code, code != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
    throw KafkaError(code: code, message: "metadata: \(String(cString: rd_kafka_err2str(code)))")
  }

  /// Asks the leaders of these partitions for the offset that the next message will have, one request for each leader.
  ///
  /// - Returns: the ends; a partition is missing if its leader refuses to answer.
  /// - Throws: a leader that is not known, or is silent for longer than `timeout` milliseconds; then no end is
  ///   returned.
  public func ends(
    of partitions: [TopicPartition],
    timeout milliseconds: Int32
  ) throws(KafkaError) -> [TopicPartition: Int64] {
    // In this call the field for the offset is a time; -1 is the end of the log (Kafka protocol, ListOffsets).
    let list = TopicPartitionList(partitions.map { ($0, offset: Offset.end) })
    let code = ask { client in list.withPointer { rd_kafka_offsets_for_times(client, $0, milliseconds) } }
    guard let code else { return [:] }
    guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
      throw KafkaError(
        code: code,
        message: "ends: \(String(cString: rd_kafka_err2str(code)))",
        partitions: partitions
      )
    }
    var ends: [TopicPartition: Int64] = [:]
    list.withPointer {
      for element in TopicPartitionList.elements($0)
      where element.err == RD_KAFKA_RESP_ERR_NO_ERROR && element.offset >= 0 {
        ends[TopicPartition(element)] = element.offset
      }
    }
    return ends
  }
}
