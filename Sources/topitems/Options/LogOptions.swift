import ArgumentParser
import Logging

/// The log of the commands that run for long.
struct LogOptions: ParsableArguments {
  @Option(help: .option("log-format", "text or json (one object a line).", default: "text"))
  var logFormat: LogFormat?
  @Option(
    help: .option("log-level", "trace, debug, info, notice, warning, error or critical.", default: "info")
  )
  var logLevel: Logger.Level?

  /// - Parameter command: names the logger.
  func logger(_ command: String) throws -> Logger {
    CommandLog.logger(
      command,
      level: try EnvironmentOption.value("log-level", logLevel),
      format: try EnvironmentOption.value("log-format", logFormat)
    )
  }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}
