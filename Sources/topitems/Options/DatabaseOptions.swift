import ArgumentParser
import Postgres

/// The option of every command that needs PostgreSQL.
struct DatabaseOptions: ParsableArguments {
  @Option(
    help: .option(
      "database-url",
      "Where PostgreSQL is, as a libpq URL; better in the variable than on a command line that others can see."
    )
  )
  var databaseURL: String?

  /// - Parameters:
  ///   - command: shown by PostgreSQL as the connection's application name.
  ///   - statementTimeoutSeconds: after which the server gives a statement up; nil for never.
  ///   - writing: refuse a standby and a session that is read-only.
  func connection(for command: String, statementTimeoutSeconds: Int?, writing: Bool) throws
    -> ConnectionOptions
  {
    var options = ConnectionOptions(url: try EnvironmentOption.required("database-url", databaseURL))
    options.applicationName = "topitems \(command)"
    options.needsToWrite = writing
    if let seconds = statementTimeoutSeconds {
      options.answerTimeout = seconds + 15
      options.settings = [
        ("statement_timeout", "\(seconds)s"), ("lock_timeout", "\(min(seconds, 10))s"),
        // A client that is gone must not hold its locks for longer than it takes to notice.
        ("idle_in_transaction_session_timeout", "\(seconds)s"),
        ("tcp_keepalives_idle", "5"), ("tcp_keepalives_interval", "5"), ("tcp_keepalives_count", "2"),
      ]
    }
    return options
  }
}
