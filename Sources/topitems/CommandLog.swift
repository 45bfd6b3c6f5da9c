import Logging

/// The log of the commands that run for long: lines on standard error, which a supervisor collects.
enum CommandLog {
  static func logger(_ command: String, level: Logger.Level?) -> Logger {
    var logger = Logger(label: "topitems.\(command)") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = level ?? .info
    return logger
  }
}
