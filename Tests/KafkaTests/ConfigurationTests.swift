import Testing

@testable import Kafka

@Suite struct ConfigurationTests {
  @Test("settings keep their order, a later value replaces an earlier one, nil takes a setting out")
  func order() {
    var configuration = Configuration(brokers: "127.0.0.1:9092")
    configuration["group.id"] = "a"
    configuration["client.id"] = "b"
    configuration["group.id"] = "c"
    #expect(configuration.settings.map(\.name) == ["bootstrap.servers", "group.id", "client.id"])
    #expect(configuration["group.id"] == "c")
    configuration["group.id"] = nil
    #expect(configuration["group.id"] == nil)
    #expect(configuration.description == "bootstrap.servers=127.0.0.1:9092 client.id=b")
  }

  @Test(
    "a command line's name=value is split at the first =",
    arguments: [("a=b", "a", "b"), ("a=", "a", ""), ("a=b=c", "a", "b=c"), ("a= b ", "a", " b ")]
  )
  func argument(text: String, name: String, value: String) throws {
    var configuration = Configuration(brokers: "x")
    try configuration.set(argument: text)
    #expect(configuration[name] == value)
  }

  @Test(
    "an argument that is not name=value is refused and not repeated",
    arguments: ["", "=", "=hunter2", "hunter2"]
  )
  func badArgument(text: String) {
    var configuration = Configuration(brokers: "x")
    let error = #expect(throws: KafkaError.self) { try configuration.set(argument: text) }
    #expect(error?.description.contains("hunter2") == false)
  }

  @Test(
    "a setting that is unknown or has a bad value is refused by its name",
    arguments: [
      ("no.such.setting", "1"), ("session.timeout.ms", "soon"), ("session.timeout.ms", "-5"),
      ("isolation.level", "serializable"), ("bootstrap.servers", ""), ("bootstrap.servers", "  "),
      ("client.id", "a\0b"), ("group.id\u{7f}", "x"), ("rebalance_cb", "x"), ("", ""),
    ]
  )
  func refused(name: String, value: String) {
    var configuration = Configuration(brokers: "127.0.0.1:1")
    configuration[name] = value
    let error = #expect(throws: KafkaError.self) { try configuration.validate() }
    #expect(error?.message.contains("Kafka setting \(name)") == true, "\(String(describing: error))")
    #expect(error?.name == "_INVALID_ARG")
  }

  @Test(
    "a secret is in no description and no error",
    arguments: [
      "sasl.password", "ssl.key.password", "ssl.key.pem", "ssl.keystore.password",
      "sasl.oauthbearer.client.secret", "sasl.oauthbearer.config", "SASL.Password", "sasl.jaas.config",
      "sasl.password\0", "no.such.password",
    ]
  )
  func secrets(name: String) {
    var configuration = Configuration(brokers: "127.0.0.1:1")
    configuration["group.id"] = "g"
    configuration["security.protocol"] = "sasl_ssl"
    configuration[name] = "hunter2"
    #expect(!configuration.description.contains("hunter2"))
    let observations = Observations()
    do {
      let consumer = try Consumer(configuration, observe: observations.append) { _, _ in }
      consumer.close(timeout: 2000)
    } catch {
      #expect(!error.description.contains("hunter2"))
    }
    #expect(!observations.all.contains { "\($0)".contains("hunter2") })
  }

  @Test("a value that librdkafka only refuses when the client is made is reported, not logged")
  func refusedLate() {
    var configuration = Configuration(brokers: "127.0.0.1:1")
    configuration["group.id"] = "g"
    configuration["session.timeout.ms"] = "6000"
    configuration["max.poll.interval.ms"] = "1000"
    let error = #expect(throws: KafkaError.self) { _ = try Consumer(configuration) { _, _ in } }
    #expect(error?.message.contains("max.poll.interval.ms") == true, "\(String(describing: error))")
  }

  @Test("a consumer without a group is refused by the setting's name")
  func noGroup() {
    let error = #expect(throws: KafkaError.self) {
      _ = try Consumer(Configuration(brokers: "127.0.0.1:1")) { _, _ in }
    }
    #expect(error?.message.contains("group.id") == true)
  }
}
