import ArgumentParser
import Logging

/// The form of log lines.
enum LogFormat: String, ExpressibleByArgument, CaseIterable {
  case text
  case json
}

/// The log of the commands that run for long: lines on standard error, which a supervisor collects.
enum CommandLog {
  static func logger(_ command: String, level: Logger.Level?, format: LogFormat?) -> Logger {
    var logger = Logger(label: "topitems.\(command)") { label -> any LogHandler in
      switch format ?? .text {
      case .text: StreamLogHandler.standardError(label: label)
      case .json: JSONLogHandler(label: label)
      }
    }
    logger.logLevel = level ?? .info
    return logger
  }
}
