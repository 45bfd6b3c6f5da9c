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

      It goes by the database's clock, if a second one agrees with it: what has passed on this machine's monotonic clock \
      since they last agreed, or else this machine's clock. Where none does, nothing is done without --yes.
      """
  )

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var retention: RetentionOptions
  @Flag(help: "Only tell what would be done.")
  var dryRun = false
  @Flag(help: "Go by the database's clock although no second source agrees with it.")
  var yes = false

  func run() throws {
    var options = try database.connection(for: "retention", statementTimeoutSeconds: nil)
    options.settings = [("lock_timeout", "10s"), ("jit", "off")]
    let retention = Retention(try retention.policy())
    let connection = try Connection(options)
    defer { connection.close() }
    StopSignal.listen()
    let clock = try CountStore(connection).checkClock()
    switch clock.verdict {
    case .success(let now):
      if let complaint = clock.complaint { StandardError.write(complaint) }
      print(try text(retention, connection, now))
    case .failure(let disagreement): try byHand(disagreement, clock, retention, connection)
    }
  }

  /// Nothing vouches for the database's clock: only an operator can.
  private func byHand(
    _ disagreement: ClockDisagreement,
    _ clock: ClockCheck,
    _ retention: Retention,
    _ connection: Connection
  ) throws {
    let asked = TrustedClock.believe(clock.reading)
    let plan = RetentionText.lines(try retention.preview(on: connection, at: asked))
    let goes = plan.isEmpty ? "nothing" : plan.joined(separator: "; ")
    StandardError.write("\(disagreement)")
    guard yes, !dryRun else {
      let note = "If it is right, --yes goes by it, which would have: \(goes)."
      guard dryRun else { throw InputError(description: "nothing was done. \(note)") }
      print(note)
      return
    }
    StandardError.write("by hand, at \(asked.time.rfc3339): \(goes)")
    let now = try CountStore(connection).believeClock()
    print(try text(retention, connection, now))
  }

  private func text(_ retention: Retention, _ connection: Connection, _ now: AgreedTime) throws -> String {
    var retention = retention
    let report =
      dryRun
      ? try retention.preview(on: connection, at: now)
      : try retention.run(on: connection, at: now) { StopSignal.isRequested }
    let lines = RetentionText.lines(report)
    return lines.isEmpty
      ? "nothing to do" : lines.map { dryRun ? "would have \($0)" : $0 }.joined(separator: "\n")
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
