import CLibrdkafka

/// What librdkafka's callbacks find under their opaque pointer.
///
/// It is retained for as long as librdkafka may call back, which is until `rd_kafka_destroy` has returned. The log
/// callback comes from librdkafka's threads and reads nothing but `observe`, a constant; all others run on the
/// thread that polls.
class ClientContext {
  let observe: @Sendable (KafkaObservation) -> Void

  init(observe: @escaping @Sendable (KafkaObservation) -> Void) {
    self.observe = observe
  }

  /// Registers what consumers and producers have in common, with this object as the opaque pointer.
  func register(on conf: OpaquePointer) {
    rd_kafka_conf_set_opaque(conf, Unmanaged.passUnretained(self).toOpaque())
    rd_kafka_conf_set_log_cb(conf, onLog)
    rd_kafka_conf_set_error_cb(conf, onError)
    rd_kafka_conf_set_stats_cb(conf, onStatistics)
  }

  static func recover(_ opaque: UnsafeMutableRawPointer?) -> ClientContext? {
    opaque.map { Unmanaged<ClientContext>.fromOpaque($0).takeUnretainedValue() }
  }
}

/// The error that ended a client, `nil` while it lives.
func fatalError(of client: OpaquePointer) -> KafkaError? {
  var text = [CChar](repeating: 0, count: 512)
  let code = rd_kafka_fatal_error(client, &text, text.count)
  guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
  return KafkaError(code: code, message: string(text), isFatal: true, isRetriable: false)
}

private func onLog(
  client: OpaquePointer?,
  level: Int32,
  facility: UnsafePointer<CChar>?,
  text: UnsafePointer<CChar>?
) {
  guard let client, let context = ClientContext.recover(rd_kafka_opaque(client)) else { return }
  context.observe(
    .log(
      level: level,
      facility: facility.map { String(cString: $0) } ?? "",
      text: text.map { String(cString: $0) } ?? ""
    )
  )
}

private func onError(
  client: OpaquePointer?,
  code: Int32,
  reason: UnsafePointer<CChar>?,
  opaque: UnsafeMutableRawPointer?
) {
  guard let client, let context = ClientContext.recover(opaque) else { return }
  // The code only says that it is fatal; which error it was must be asked for.
  if code == RD_KAFKA_RESP_ERR__FATAL.rawValue, let fatal = fatalError(of: client) {
    context.observe(.error(fatal))
  } else {
    let error = KafkaError(
      code: rd_kafka_resp_err_t(rawValue: code),
      message: reason.map { String(cString: $0) }
    )
    context.observe(.error(error))
  }
}

private func onStatistics(
  client: OpaquePointer?,
  json: UnsafeMutablePointer<CChar>?,
  length: Int,
  opaque: UnsafeMutableRawPointer?
) -> Int32 {
  if let context = ClientContext.recover(opaque), let json {
    let bytes = UnsafeRawBufferPointer(start: json, count: length)
    context.observe(.statistics(json: String(decoding: bytes, as: UTF8.self)))
  }
  return 0  // librdkafka frees the text
}
