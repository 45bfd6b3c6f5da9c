import CLibrdkafka

/// What a consumer's callbacks find; used by the polling thread only, except for what it inherits.
final class ConsumerContext: ClientContext {
  /// Rebalances that librdkafka has announced and the handler has not seen.
  var pendingRebalances: [Rebalance] = []
  /// The queue that is polled, woken so that an announced rebalance does not wait for the poll's timeout.
  var queue: OpaquePointer?
  /// A fatal error has come as a message; what it was is asked from the client.
  var hasFatalError = false

  func registerConsumer(on conf: OpaquePointer) {
    rd_kafka_conf_set_rebalance_cb(conf, onRebalance)
    rd_kafka_conf_set_offset_commit_cb(conf, onCommit)
  }
}

/// Only takes note. librdkafka calls this in the middle of filling a batch, where messages of the partitions at stake
/// may already be in the batch; and it waits, with fetching paused, until assign or unassign is called. So the
/// handler runs after the batch's messages have been handed out, and never sees one of them afterwards.
private func onRebalance(
  client: OpaquePointer?,
  code: rd_kafka_resp_err_t,
  list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?,
  opaque: UnsafeMutableRawPointer?
) {
  guard let client, let context = ClientContext.recover(opaque) as? ConsumerContext else { return }
  let partitions = TopicPartitionList.partitions(list)
  if code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
    context.pendingRebalances.append(.assigned(partitions))
  } else {
    if code != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS {
      context.observe(.error(KafkaError(code: code, message: "rebalance failed")))
    }
    let isLost = rd_kafka_assignment_lost(client) != 0
    context.pendingRebalances.append(isLost ? .lost(partitions) : .revoked(partitions))
  }
  if let queue = context.queue { rd_kafka_queue_yield(queue) }
}

private func onCommit(
  client: OpaquePointer?,
  code: rd_kafka_resp_err_t,
  list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?,
  opaque: UnsafeMutableRawPointer?
) {
  // _NO_OFFSET: there was nothing to commit.
  guard let context = ClientContext.recover(opaque), code != RD_KAFKA_RESP_ERR_NO_ERROR,
    code != RD_KAFKA_RESP_ERR__NO_OFFSET
  else { return }
  context.observe(
    .commitFailed(
      KafkaError(
        code: code,
        message: "commit: \(String(cString: rd_kafka_err2str(code)))",
        partitions: TopicPartitionList.partitions(list)
      )
    )
  )
}
