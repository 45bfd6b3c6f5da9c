import ArgumentParser
import HTTPServer

/// What clients may take of the server's memory and descriptors.
struct LimitOptions: ParsableArguments {
  @Option(help: .option("max-connections", "Clients at one time.", default: "10000"))
  var maxConnections: Int?
  @Option(help: .option("max-connections-per-address", "Clients of one address.", default: "1000"))
  var maxConnectionsPerAddress: Int?
  @Option(
    help: .option(
      "unsent-memory",
      "MiB of large responses that wait for their clients to read them; beyond it 503.",
      default: "256"
    )
  )
  var unsentMemory: Int?
  @OptionGroup var spool: SpoolOptions

  func limits() throws -> Limits {
    var limits = Limits()
    limits.connections =
      try NumberOption.value("max-connections", maxConnections, in: 1...1_000_000) ?? limits.connections
    limits.connectionsPerAddress =
      try NumberOption.value("max-connections-per-address", maxConnectionsPerAddress, in: 1...1_000_000)
      ?? limits.connectionsPerAddress
    if let mebibytes = try NumberOption.value("unsent-memory", unsentMemory, in: 1...1_000_000) {
      limits.unsentBodies = mebibytes << 20
    }
    try spool.apply(to: &limits)
    return limits
  }
}
