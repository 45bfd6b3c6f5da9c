import ArgumentParser
import CountStore
import Counting
import Postgres

/// `topitems retention`: what the workers do in the background, once and now.
struct RetentionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "retention",
    abstract: "Sum up what is past, and drop what is too old.",
    discussion: """
      Makes partitions ahead, folds minutes into hours, hours into days, days into months, raises the deduplication \
      floor, drops old partitions and deletes old keys. Every worker does this once a minute by itself, one at a \
      time; the command is for a system without workers, for a first look, and for cron.

        topitems retention --dry-run
        topitems retention --keep-minutes P14D
      """
  )

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var retention: RetentionOptions
  @Flag(help: "Only tell what would be done.")
  var dryRun = false

  func run() throws {
    var options = try database.connection(for: "retention", statementTimeoutSeconds: nil, writing: !dryRun)
    options.settings = [("lock_timeout", "10s"), ("jit", "off")]
    var retention = Retention(try retention.policy())
    let connection = try Connection(options)
    defer { connection.close() }
    StopSignal.listen()
    let report =
      dryRun
      ? try retention.preview(on: connection)
      : try retention.run(on: connection) { StopSignal.isRequested }
    let lines = RetentionText.lines(report)
    print(
      lines.isEmpty ? "nothing to do" : lines.map { dryRun ? "would have \($0)" : $0 }.joined(separator: "\n")
    )
  }
}

/// A report as lines for people.
enum RetentionText {
  static func lines(_ report: RetentionReport) -> [String] {
    if report.isBusyElsewhere { return ["another session is at it"] }
    var lines = report.folded.map { fold in
      "folded \(fold.level.rawValue)s up to \(fold.until.rfc3339)"
        + (fold.rows > 0 ? ", \(fold.rows) rows" : "")
    }
    if let floor = report.floor { lines.append("raised the deduplication floor to \(floor.rfc3339)") }
    if !report.droppedPartitions.isEmpty {
      lines.append("dropped \(report.droppedPartitions.joined(separator: ", "))")
    }
    let deleted = [
      (report.purgedDetections, "keys of detections"), (report.purgedDeadLetters, "dead letters"),
      (report.purgedQuarantine, "quarantined events"),
    ]
    for (count, what) in deleted where count > 0 { lines.append("deleted \(count) \(what)") }
    return lines
  }
}
