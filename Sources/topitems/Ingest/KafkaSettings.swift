import ArgumentParser
import Kafka

extension Configuration {
  /// Adds what was given by `--kafka`; what librdkafka does not take is wrong usage.
  mutating func add(_ settings: [String]) throws {
    do {
      for setting in settings { try set(argument: setting) }
      try validate()
    } catch {
      throw ValidationError("--kafka: \(error.message)")
    }
  }
}
