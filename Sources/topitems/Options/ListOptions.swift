import ArgumentParser

/// How a list of stored messages is printed.
struct ListOptions: ParsableArguments {
  @Option(help: "How many at most. (default: 100; with --json, all)") var limit: Int?
  @Flag(help: "Print each as a line of JSON.") var json = false

  /// How many at most; nil: all.
  func maximum() throws -> Int? { try Pages.limit(limit) ?? (json ? nil : 100) }
}

/// Where messages came from.
struct OriginOptions: ParsableArguments {
  @Option(help: "Only of this topic.") var topic: String?
  @Option(help: "Only of the partitions with this number.") var partition: Int32?
}
