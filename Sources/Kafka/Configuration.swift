import CLibrdkafka

/// librdkafka's settings, by their own names (its CONFIGURATION.md lists them).
public struct Configuration: Sendable, CustomStringConvertible {
  /// Names and values in the order in which they were first set, which is the order in which they are applied.
  public private(set) var settings: [(name: String, value: String)] = []

  /// `brokers` is `bootstrap.servers`: `host:port,host:port`.
  public init(brokers: String) {
    self["bootstrap.servers"] = brokers
  }

  /// A setting's value; `nil` takes it out, so that librdkafka's default applies.
  public subscript(name: String) -> String? {
    get { settings.first { $0.name == name }?.value }
    set {
      let index = settings.firstIndex { $0.name == name }
      switch (index, newValue) {
      case (let index?, let value?): settings[index].value = value
      case (let index?, nil): settings.remove(at: index)
      case (nil, let value?): settings.append((name, value))
      case (nil, nil): break
      }
    }
  }

  /// Sets a `name=value` as given on a command line; the value may hold further `=`.
  public mutating func set(argument: String) throws(KafkaError) {
    guard let separator = argument.firstIndex(of: "="), separator > argument.startIndex else {
      // Not shown: what was meant as a value may be a secret.
      throw KafkaError(
        code: RD_KAFKA_RESP_ERR__INVALID_ARG,
        message: "a Kafka setting must be given as name=value"
      )
    }
    self[String(argument[..<separator])] = String(argument[argument.index(after: separator)...])
  }

  /// Refuses unknown names and values, naming the setting. Creating a client does this too.
  public func validate() throws(KafkaError) {
    rd_kafka_conf_destroy(try makeConf())
  }

  /// `name=value` pairs, secrets hidden.
  public var description: String {
    settings.map { "\($0.name)=\(Self.isSensitive($0.name) ? "***" : $0.value)" }.joined(separator: " ")
  }

  /// Whether a setting's value must never be shown.
  public static func isSensitive(_ name: String) -> Bool {
    let name = name.lowercased()
    return [
      "password", "passphrase", "secret", "private", "token", "assertion", "jaas", "oauthbearer.config",
    ]
    .contains { name.contains($0) } || name.hasSuffix("key.pem") || name == "ssl_key"
  }

  /// `text` without the values of sensitive settings, which librdkafka quotes in some of its errors.
  func redact(_ text: String) -> String {
    var text = text
    for (name, value) in settings where !value.isEmpty && Self.isSensitive(name) {
      text.replace(value, with: "***")
    }
    return text
  }

  /// The settings as a new `rd_kafka_conf_t`, which the caller owns.
  func makeConf() throws(KafkaError) -> OpaquePointer {
    guard let conf = rd_kafka_conf_new() else {
      throw KafkaError(code: RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE)
    }
    for (name, value) in settings {
      do throws(KafkaError) {
        try apply(name, value, to: conf)
      } catch {
        rd_kafka_conf_destroy(conf)
        throw error
      }
    }
    return conf
  }

  private func apply(_ name: String, _ value: String, to conf: OpaquePointer) throws(KafkaError) {
    // C strings end at a NUL: what follows would silently be cut off.
    guard !name.utf8.contains(0), !value.utf8.contains(0) else {
      throw invalid(name.utf8.contains(0) ? "?" : name, "has a NUL byte in it")
    }
    if name == "bootstrap.servers" || name == "metadata.broker.list", value.allSatisfy(\.isWhitespace) {
      throw invalid(name, "is empty: it must be host:port,host:port")
    }
    var text = [CChar](repeating: 0, count: 512)
    let result = rd_kafka_conf_set(conf, name, value, &text, text.count)
    switch result {
    case RD_KAFKA_CONF_OK: return
    case RD_KAFKA_CONF_UNKNOWN: throw invalid(name, "is not known to librdkafka \(KafkaLibrary.version)")
    default:
      throw invalid(name, Self.isSensitive(name) ? "has a value that is refused" : redact(string(text)))
    }
  }

  private func invalid(_ name: String, _ reason: String) -> KafkaError {
    KafkaError(code: RD_KAFKA_RESP_ERR__INVALID_ARG, message: "Kafka setting \(name): \(reason)")
  }
}

/// The text in a C buffer up to its NUL, repaired where it is not UTF-8.
func string(_ buffer: [CChar]) -> String {
  String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
