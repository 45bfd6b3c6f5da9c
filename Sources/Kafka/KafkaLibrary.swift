import CLibrdkafka

/// The librdkafka that was found when the process started.
///
/// The version of the header at build time says nothing about it: Debian 12 builds against 2.0.2, while a newer
/// library with the same ABI is found first at run time.
public enum KafkaLibrary {
  /// The version of the loaded library, e.g. `2.16.1`.
  public static var version: String { String(cString: rd_kafka_version_str()) }

  /// Refuses a library older than 2.2, saying why and what to do.
  ///
  /// Consumers and producers check this themselves; a command calls it to fail before it does anything else.
  public static func requireSupported() throws(KafkaError) {
    try check(version: rd_kafka_version(), text: version)
  }

  /// `version` is `0xMMmmrrpp` as in `rd_kafka_version()`.
  static func check(version: Int32, text: String) throws(KafkaError) {
    guard version < 0x0202_0000 else { return }
    throw KafkaError(
      code: RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE,
      message: """
        librdkafka \(text) is too old, 2.2 or newer is required: older ones misread tagged fields of newer \
        brokers, and their batch consumption hands out messages from before a seek or a rebalance. Put a folder \
        that holds a newer librdkafka.so.1 first in LD_LIBRARY_PATH (`make services` prints one)
        """
    )
  }
}
