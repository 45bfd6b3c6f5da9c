import CLibrdkafka
import Glibc
import Synchronization
import Threading

/// Beginning and end of an `rd_kafka_t`.
enum NativeClient {
  /// Makes a client; `context` is retained for it until `destroy`.
  static func make(
    _ type: rd_kafka_type_t,
    _ configuration: Configuration,
    context: ClientContext,
    register: (OpaquePointer) -> Void
  ) throws(KafkaError) -> OpaquePointer {
    try KafkaLibrary.requireSupported()
    let conf = try configuration.makeConf()
    context.register(on: conf)
    register(conf)
    var text = [CChar](repeating: 0, count: 512)
    let retained = Unmanaged.passRetained(context)
    guard let client = rd_kafka_new(type, conf, &text, text.count) else {
      // The settings become the client's only when it succeeds.
      let code = rd_kafka_last_error()
      rd_kafka_conf_destroy(conf)
      retained.release()
      throw KafkaError(code: code, message: configuration.redact(string(text)))
    }
    return client
  }

  /// Ends a client by the deadline, whatever state it is in; `flags` as for `rd_kafka_destroy_flags`.
  ///
  /// `rd_kafka_destroy` joins librdkafka's threads, and one of them may sit in a name lookup or a connect for a
  /// long time. So it runs on a thread of its own; when that is not done in time, it is left to end by itself or with
  /// the process.
  static func destroy(_ client: OpaquePointer, _ context: ClientContext, flags: Int32, by deadline: Deadline)
  {
    let job = Destruction(client, context, flags)
    do {
      try startThread(name: "kafka-destroy") { job.run() }
    } catch {
      return  // without a thread the client stays until the process ends
    }
    // The C library's join with a timeout is a GNU extension that Swift does not see.
    while !job.isDone.load(ordering: .acquiring), !deadline.hasPassed { usleep(1000) }
  }

  /// `@unchecked Sendable`: the client and its context belong to the thread that runs it; the caller reads only
  /// `isDone`, which is atomic.
  private final class Destruction: @unchecked Sendable {
    let isDone = Atomic(false)
    private let client: OpaquePointer
    private let context: ClientContext
    private let flags: Int32

    init(_ client: OpaquePointer, _ context: ClientContext, _ flags: Int32) {
      self.client = client
      self.context = context
      self.flags = flags
    }

    func run() {
      rd_kafka_destroy_flags(client, flags)
      // Only now no callback can come any more: give back what `make` retained.
      Unmanaged.passUnretained(context).release()
      isDone.store(true, ordering: .releasing)
    }
  }
}
