import ArgumentParser
import Glibc

/// `topitems`: the one binary.
@main
struct TopItemsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "topitems",
    abstract:
      "Counts what video cameras detect, exactly once each, and serves the top items at each location.",
    discussion: """
      Most options can also be given as environment variables, which their help names: --database-url as \
      TOPITEMS_DATABASE_URL.

      A system is one PostgreSQL, one or more workers and a server:

        export TOPITEMS_DATABASE_URL=postgresql://topitems@db/topitems TOPITEMS_BROKERS=kafka:9092
        topitems migrate
        topitems locations import locations.csv
        topitems ingest &
        topitems serve --listen 127.0.0.1:8080 &
        curl 'http://127.0.0.1:8080/v1/top-items?n=5'

      Exit status: 0 done, 1 failed, 2 wrong usage.
      """,
    version: "topitems \(ProductVersion.text)",
    subcommands: [
      Migrate.self, Ingest.self, Serve.self, Simulate.self, Locations.self, DeadLetters.self, Quarantine.self,
      RetentionCommand.self, FloorCommand.self, Topics.self,
    ]
  )

  /// Parses and runs the command that was asked for.
  static func main() {
    guard !CommandLine.arguments.isEmpty else {
      StandardError.write(
        "Error: the arguments cannot be read: Swift's run time takes them from /proc/self/cmdline, and /proc is not "
          + "mounted. Mount it, as by 'mount -t proc proc /proc'."
      )
      leave(EXIT_FAILURE)
    }
    HangUpSignal.ignoreWithoutTerminal()
    var type: (any ParsableCommand.Type)?
    do {
      var command = try parseAsRoot()
      type = Swift.type(of: command)
      try command.run()
      leave(EXIT_SUCCESS)
    } catch {
      let failure = CommandFailure(error, of: type)
      guard let message = failure.message else { exit(withError: error) }
      StandardError.write(message)
      leave(failure.status.rawValue)
    }
  }

  /// Ends the process without its exit handlers: threads of librdkafka, or of ours inside libpq, may still run, and the
  /// handlers of OpenSSL would free what they use (seen as a double free, about once in a hundred ends under load).
  private static func leave(_ status: Int32) -> Never {
    fflush(nil)
    _exit(status)
  }
}
