import ArgumentParser
import Kafka

/// How Kafka is reached.
struct KafkaOptions: ParsableArguments {
  @Option(help: .option("brokers", "Where Kafka is: host:port, several separated by commas."))
  var brokers: String?
  @Option(
    help: .option("kafka", "A setting for librdkafka, name=value; may be repeated.", valueName: "name=value")
  )
  var kafka: [String] = []

  /// What the options mean to librdkafka.
  ///
  /// - Parameter own: the command's settings, which `--kafka` overrides.
  func configuration(_ own: KeyValuePairs<String, String>) throws -> Configuration {
    var configuration = Configuration(brokers: try EnvironmentOption.required("brokers", brokers))
    for (name, value) in own { configuration[name] = value }
    do {
      for setting in EnvironmentOption.values("kafka", kafka) { try configuration.set(argument: setting) }
      try configuration.validate()
    } catch {
      throw ValidationError("--kafka: \(error.message)")
    }
    return configuration
  }
}
