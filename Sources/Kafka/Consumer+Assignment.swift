import CLibrdkafka

extension Consumer {
  /// Begins to consume these partitions at these offsets (`Offset` has the logical ones).
  ///
  /// With a cooperative strategy they are added to the assignment, else they replace it.
  ///
  /// Name a number where it is known: for `Offset.beginning` librdkafka asks the broker first, which takes half a
  /// second.
  ///
  /// - Parameter paused: nothing is fetched until `resume(_:timeout:)` names the true offset; until then any number
  ///   will do, as 0.
  public func assign(_ positions: [(TopicPartition, offset: Int64)], paused: Bool = false) throws(KafkaError)
  {
    requireOpen()
    recordResponse()
    let list = TopicPartitionList(positions)
    if isCooperative {
      try check(list.withPointer { rd_kafka_incremental_assign(client, $0) }, "assign")
    } else {
      resumeSilently(self.paused)
      try check(list.withPointer { rd_kafka_assign(client, $0) }, "assign")
    }
    if paused { try pause(positions.map(\.0)) }
  }

  /// Restarts all assigned partitions, paused: the only way to go on with one that librdkafka has given up
  /// because its offset was not in the log (with `auto.offset.reset=error`).
  public func restartPaused() throws(KafkaError) {
    let all = try assignment()
    if isCooperative { try unassign(all) }
    // A logical offset is in every log, so that a fetch which was under way before the pause finds it.
    try assign(all.map { ($0, offset: Offset.beginning) }, paused: true)
  }

  /// Stops consuming these partitions; with an eager strategy, all that are assigned.
  public func unassign(_ partitions: [TopicPartition]) throws(KafkaError) {
    requireOpen()
    recordResponse()
    if isCooperative {
      resumeSilently(paused.intersection(partitions))
      let list = TopicPartitionList(partitions)
      try check(list.withPointer { rd_kafka_incremental_unassign(client, $0) }, "unassign")
    } else {
      resumeSilently(paused)
      try check(rd_kafka_assign(client, nil), "unassign")
    }
  }

  /// The partitions that are assigned now.
  public func assignment() throws(KafkaError) -> [TopicPartition] {
    requireOpen()
    var list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
    try check(rd_kafka_assignment(client, &list), "assignment")
    guard let list else { return [] }
    return TopicPartitionList(owning: list).partitions
  }

  /// Stops fetching; messages fetched ahead are dropped, and fetched again after `resume`.
  public func pause(_ partitions: [TopicPartition]) throws(KafkaError) {
    requireOpen()
    let list = TopicPartitionList(partitions)
    paused.formUnion(partitions)
    try check(list.withPointer { rd_kafka_pause_partitions(client, $0) }, "pause")
    if let failure = list.failure(of: "pause") { throw failure }
  }

  /// Goes on fetching behind the last message that was handed out, or where `seek` put it.
  ///
  /// librdkafka only notices at the next turn of its thread, which may take a second; `resume(_:timeout:)` is quick.
  public func resume(_ partitions: [TopicPartition]) throws(KafkaError) {
    requireOpen()
    let list = TopicPartitionList(partitions)
    paused.subtract(partitions)
    try check(list.withPointer { rd_kafka_resume_partitions(client, $0) }, "resume")
    if let failure = list.failure(of: "resume") { throw failure }
  }

  /// Goes on fetching at these offsets, at once.
  public func resume(
    _ positions: [(TopicPartition, offset: Int64)],
    timeout milliseconds: Int32
  ) throws(KafkaError) {
    // First the seek, or the fetcher would begin at the offset that was assigned; where that one is not in the log, it
    // gives the partition up for good.
    try seek(positions, timeout: milliseconds)
    try resume(positions.map(\.0))
    wakeFetchers(of: positions.map(\.0))
  }

  /// librdkafka's thread for a broker sleeps for up to a second while all its partitions are paused, and resuming does
  /// not wake it; that there is something to send does. So the brokers are asked something, whatever they answer.
  private func wakeFetchers(of partitions: [TopicPartition]) {
    let latest = TopicPartitionList(partitions.map { ($0, offset: Int64(RD_KAFKA_OFFSET_END)) })
    _ = latest.withPointer { rd_kafka_offsets_for_times(client, $0, 100) }
  }

  /// Moves assigned partitions to other offsets; when it returns, no message from before arrives any more.
  ///
  /// - Throws: an error that names the partitions that were not moved; the others were.
  public func seek(
    _ positions: [(TopicPartition, offset: Int64)],
    timeout milliseconds: Int32
  ) throws(KafkaError) {
    requireOpen()
    let list = TopicPartitionList(positions)
    // With a timeout of 0 librdkafka does not wait for the outcome.
    let error = list.withPointer { rd_kafka_seek_partitions(client, $0, max(1, milliseconds)) }
    if let error = KafkaError(consuming: error, message: "seek", partitions: positions.map(\.0)) {
      throw error
    }
    if let failure = list.failure(of: "seek") { throw failure }
  }

  /// Commits this consumer's positions to the group; see `ConsumerHandle.commit`.
  public func commit(_ positions: [(TopicPartition, nextOffset: Int64)]) throws(KafkaError) {
    try handle.commit(positions)
  }

  /// Whether partitions come and go one by one (`partition.assignment.strategy=cooperative-sticky`), known once the
  /// group has been joined.
  public var isCooperative: Bool {
    rd_kafka_rebalance_protocol(client).map { String(cString: $0) } == "COOPERATIVE"
  }

  /// Before partitions are given up: librdkafka would have them paused still when they are assigned again.
  private func resumeSilently(_ partitions: Set<TopicPartition>) {
    guard !partitions.isEmpty else { return }
    paused.subtract(partitions)
    _ = TopicPartitionList(Array(partitions)).withPointer { rd_kafka_resume_partitions(client, $0) }
  }

  private func check(_ code: rd_kafka_resp_err_t, _ action: String) throws(KafkaError) {
    guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
    throw KafkaError(code: code, message: "\(action): \(text(code))")
  }

  private func check(_ error: OpaquePointer?, _ action: String) throws(KafkaError) {
    if let error = KafkaError(consuming: error, message: action) { throw error }
  }
}
