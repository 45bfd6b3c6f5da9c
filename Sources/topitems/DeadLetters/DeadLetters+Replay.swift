import ArgumentParser
import CountStore
import Counting
import Postgres

extension DeadLetters {
  /// `topitems dead-letters replay`
  struct Replay: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Decode them again, and count those that are events now.",
      discussion: """
        For messages that a newer version can read, or that another --timestamp-unit or --max-message-bytes allows. \
        Each gets the fate that it would have had (counted, duplicate, late or future), exactly once, whatever else \
        replays or counts at the same time; the others stay, with the reason that is found now. One of which not all \
        bytes were kept cannot be replayed. Interrupting it, or doing it again, is safe.
        """
    )

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var filter: Filter
    @Option(help: "How many at most.") var limit: Int?
    @Flag(help: "Only show how many are events now.") var dryRun = false
    @OptionGroup var decoding: DecodingOptions

    func run() throws {
      let filter = try filter.filter()
      let limit = try Pages.limit(limit) ?? .max
      var options = ReplayOptions()
      options.isDryRun = dryRun
      if let skew = try decoding.skewSeconds() { options.allowedSkewSeconds = skew }
      var decoder = EventDecoder(
        maximumBytes: try decoding.maximumBytes() ?? 1 << 20,
        timestampUnit: try decoding.unit() ?? .automatic
      )
      let connection = try Connection(
        database.connection(for: "dead-letters", statementTimeoutSeconds: 60, writing: !dryRun)
      )
      defer { connection.close() }
      let store = CountStore(connection)
      var report = ReplayReport()
      do {
        repeat {
          let next = try Pages.retrying { () throws(PostgresError) in
            try store.replayDeadLetters(
              filter,
              after: report.last,
              limit: limit - report.examined,
              options: options,
              decoder: &decoder
            )
          }
          report += next
        } while report.last != nil && report.examined < limit
      } catch {
        // What is done is done, and worth knowing.
        StandardError.write(Self.text(report, dryRun))
        throw error
      }
      try StandardOutput.write(Self.text(report, dryRun) + "\n")
    }

    static func text(_ report: ReplayReport, _ isDryRun: Bool) -> String {
      let failed = report.failed.values.reduce(0, +)
      var lines = ["\(report.examined) dead letters"]
      lines.append(
        isDryRun
          ? "\(report.decoded) would be events now (dry run)"
          : "\(report.readmitted.fates.total) are events now: \(Pages.text(report.readmitted.fates))"
      )
      if failed > 0 {
        let reasons = report.failed.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
          .map { "\($0.value) \(SafeText.line($0.key))" }
        lines.append("\(failed) are not: \(reasons.joined(separator: ", "))")
      }
      if report.truncated > 0 {
        lines.append("\(report.truncated) cannot be replayed, as not all of their bytes were kept")
      }
      return (lines + Pages.notes(report.readmitted)).joined(separator: "\n")
    }
  }

  /// `topitems dead-letters purge`
  struct Purge: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Delete them for good.",
      discussion: "It asks nothing. The fates in ingest_offset, and so in /v1/status, go on counting them."
    )

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var filter: Filter
    @Option(help: "How many at most.") var limit: Int?
    @Flag(help: "Delete every dead letter there is.") var all = false
    @Flag(help: "Only show how many there are.") var dryRun = false

    func run() throws {
      let filter = try filter.filter()
      let limit = try Pages.limit(limit) ?? .max
      guard all == filter.isEmpty else {
        throw ValidationError(
          all ? "--all and filters exclude each other." : "Say which ones by a filter, or give --all."
        )
      }
      let connection = try Connection(
        database.connection(for: "dead-letters", statementTimeoutSeconds: 60, writing: !dryRun)
      )
      defer { connection.close() }
      let store = CountStore(connection)
      if dryRun {
        let count = min(try store.countDeadLetters(filter), Int64(limit))
        return try StandardOutput.write("\(count) dead letters would be deleted (dry run)\n")
      }
      var count = 0
      while count < limit {
        let gone = try Pages.retrying { () throws(PostgresError) in
          try store.purgeDeadLetters(filter, limit: min(Pages.size, limit - count))
        }
        if gone == 0 { break }
        count += gone
      }
      try StandardOutput.write("\(count) dead letters deleted\n")
    }
  }
}
