import ArgumentParser

/// The parts of `bench-ingest` that are no shell: what fills a topic, and the floor that the worker is measured against.
@main
struct IngestBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ingest-bench",
    subcommands: [Produce.self, Floor.self]
  )
}
