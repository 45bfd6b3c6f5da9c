import ArgumentParser
import Glibc

/// The parts of `bench-ingest` that are no shell: what fills a topic, and the floor that the worker is measured
/// against.
@main
struct IngestBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ingest-bench",
    subcommands: [Produce.self, Floor.self]
  )

  /// As `topitems` does, ends without exit handlers: those of OpenSSL free what librdkafka's threads use.
  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
      fflush(nil)
      _exit(EXIT_SUCCESS)
    } catch {
      exit(withError: error)
    }
  }
}
