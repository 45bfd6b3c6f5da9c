import ArgumentParser
import Counting

/// How messages become events.
struct DecodingOptions: ParsableArguments {
  @Option(
    help: .option(
      "timestamp-unit",
      "What an integer in timestamp_detected is: automatic, seconds, milliseconds or microseconds.",
      default: "automatic"
    )
  )
  var timestampUnit: TimestampUnit?
  @Option(help: .option("max-message-bytes", "A longer message is a dead letter.", default: "1048576"))
  var maxMessageBytes: Int?
  @Option(
    help: .option("allowed-skew", "How far ahead of the database's clock an event may be.", default: "PT5M")
  )
  var allowedSkew: String?

  /// What integers are; nil: the default.
  func unit() throws -> TimestampUnit? { try EnvironmentOption.value("timestamp-unit", timestampUnit) }

  /// The longest message, in bytes; nil: the default.
  func maximumBytes() throws -> Int? {
    try NumberOption.value("max-message-bytes", maxMessageBytes, in: 128...64 << 20)
  }

  /// In seconds; nil: the default.
  func skewSeconds() throws -> Int64? {
    try EnvironmentOption.value("allowed-skew", allowedSkew).map {
      try DurationOption.seconds($0, "allowed-skew", atMost: 366 * 86_400)
    }
  }
}

extension TimestampUnit: ExpressibleByArgument {}
