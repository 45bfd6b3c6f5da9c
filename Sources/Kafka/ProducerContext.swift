import CLibrdkafka

/// What a producer's callbacks find; used by the producing thread only, except for what it inherits.
final class ProducerContext: ClientContext {
  var delivered = 0
  var failed = 0
  var firstFailure: KafkaError?

  func registerProducer(on conf: OpaquePointer) {
    rd_kafka_conf_set_dr_msg_cb(conf, onDelivery)
  }
}

private func onDelivery(
  client: OpaquePointer?,
  message: UnsafePointer<rd_kafka_message_t>?,
  opaque: UnsafeMutableRawPointer?
) {
  // Called for every message: `ClientContext.recover` with a checked cast would be the dearest part of it.
  guard let opaque, let message else { return }
  Unmanaged<ProducerContext>.fromOpaque(opaque)._withUnsafeGuaranteedRef { context in
    let code = message.pointee.err
    if code == RD_KAFKA_RESP_ERR_NO_ERROR {
      context.delivered += 1
      return
    }
    context.failed += 1
    guard context.firstFailure == nil else { return }
    let topic = message.pointee.rkt.flatMap { rd_kafka_topic_name($0) }.map { String(cString: $0) } ?? ""
    context.firstFailure = KafkaError(
      code: code,
      message: "delivery: \(String(cString: rd_kafka_err2str(code)))",
      partitions: [TopicPartition(topic: topic, partition: message.pointee.partition)]
    )
  }
}
