import ArgumentParser
import CountStore
import Counting
import Glibc
import Postgres

/// `topitems floor`: the event time below which events are late, and the way back from one that is too high.
struct FloorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "floor",
    abstract: "Look at the deduplication floor, or move it down.",
    discussion: """
      Events older than the floor are late, because the identifiers of counted events may have been purged there. \
      Retention raises it with the clock. After a clock that was wrong it may be too high, so that every event is late.

        topitems floor show
        topitems floor set 2026-11-24T00:00:00Z
      """,
    subcommands: [Show.self, Set.self]
  )

  /// `topitems floor show`
  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show the floor, what has been purged, and how far each level reaches."
    )

    @OptionGroup var database: DatabaseOptions

    func run() throws {
      let connection = try Connection(
        database.connection(for: "floor", statementTimeoutSeconds: 60, writing: false)
      )
      defer { connection.close() }
      guard let state = try CountStore(connection).floorState() else { throw FloorText.failure(.noFloor) }
      try StandardOutput.write(FloorText.text(state) + "\n")
    }
  }

  /// `topitems floor set`
  struct Set: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Move the floor down, and count what was wrongly late from there on.",
      discussion: """
        Every detection still counts once, as the floor stays above all events whose identifiers have been purged. \
        --accept-duplicates goes lower: a second message of a detection whose identifier is gone then counts again. \
        The table floor_change keeps the account, the time and the reason.

        Workers go on meanwhile. The next run of retention raises the floor again as far as the horizon says: a longer \
        --dedup-horizon keeps it lower.
        """
    )

    @OptionGroup var database: DatabaseOptions
    @Argument(help: "The new floor, RFC 3339.") var time: String
    @Flag(help: "Also below events whose identifiers have been purged; needs --reason.")
    var acceptDuplicates = false
    @Option(help: "Why, for the record.") var reason: String?

    func validate() throws {
      if acceptDuplicates, (reason ?? "").isEmpty {
        throw ValidationError("--accept-duplicates needs a --reason.")
      }
    }

    func run() throws {
      guard let floor = Timestamp(rfc3339: time) else {
        throw ValidationError("TIME must be an RFC 3339 time like 2026-11-01T00:00:00Z.")
      }
      var options = try database.connection(for: "floor", statementTimeoutSeconds: 600, writing: true)
      options.answerTimeout = 615
      let connection = try Connection(options)
      defer { connection.close() }
      let store = CountStore(connection)
      // Nil for a repetition after a failure in between: the floor is there, and some events are still to be released.
      if let change = try set(floor, store) { try StandardOutput.write(FloorText.text(change) + "\n") }
      try StandardOutput.write(FloorText.text(try release(from: floor, store)) + "\n")
    }

    /// Waits for a worker's background work, which takes seconds, and for large batches.
    private func set(_ floor: Timestamp, _ store: CountStore) throws -> FloorChange? {
      let name = FloorText.userName()
      var attempts = 240
      while true {
        let outcome = try Pages.retrying { () throws(PostgresError) in
          try store.setFloor(floor, acceptsDuplicates: acceptDuplicates, operator: name, reason: reason)
        }
        attempts -= 1
        switch outcome {
        case .changed(let change): return change
        case .refused(.busy) where attempts > 0: usleep(250_000)
        case .refused(.notBelow(floor)): return nil
        case .refused(let refusal): throw FloorText.failure(refusal)
        }
      }
    }

    private func release(from floor: Timestamp, _ store: CountStore) throws -> ReleaseReport {
      var filter = QuarantineFilter()
      filter.reason = .late
      filter.since = floor
      var report = ReleaseReport()
      repeat {
        report += try Pages.retrying { () throws(PostgresError) in
          try store.releaseQuarantine(
            filter,
            after: report.last,
            limit: .max,
            late: acceptDuplicates ? .forced : .certain
          )
        }
      } while report.last != nil
      return report
    }
  }
}

/// The floor for people.
enum FloorText {
  static func text(_ state: FloorState) -> String {
    var lines = [
      "floor               \(state.floor.rfc3339)   older events are late"
        + (state.floor > state.now ? "; AHEAD OF THE CLOCK, SO THAT EVERY EVENT IS LATE" : ""),
      "purged until        \(state.purgedUntil?.rfc3339 ?? "never")   newest event whose identifier is gone",
      "lowest safe floor   \(state.lowestCertain?.rfc3339 ?? "any")   for 'topitems floor set'",
      "database's clock    \(state.now.rfc3339)",
      "late in quarantine  \(state.certainLateEvents) safe to count, \(state.uncertainLateEvents) may have been counted before",
      "",
    ]
    var table = TextTable([("LEVEL", .left), ("COMPLETE UNTIL", .left), ("KEPT FROM", .left)])
    for level in state.levels {
      table.add([level.name, level.foldedUntil.map(word) ?? "now", word(level.keptFrom)])
    }
    lines.append(table.text)
    if !state.changes.isEmpty {
      var changes = TextTable([
        ("CHANGED AT", .left), ("BY", .left), ("FROM", .left), ("TO", .left), ("MISSING KEYS", .right),
        ("REASON", .left),
      ])
      for change in state.changes {
        changes.add([
          change.changedAt.rfc3339, change.changedBy, change.oldFloor.rfc3339, change.newFloor.rfc3339,
          "\(change.missingKeys)", change.reason ?? "",
        ])
      }
      lines.append(changes.text)
    }
    var text = lines.joined(separator: "\n")
    while text.hasSuffix("\n") { text.removeLast() }
    return text
  }

  static func text(_ change: FloorChange) -> String {
    "moved the floor from \(change.oldFloor.rfc3339) to \(change.newFloor.rfc3339)"
      + (change.missingKeys > 0
        ? "; the identifiers of \(change.missingKeys) detections counted since then are gone: messages of them count again"
        : "")
  }

  static func text(_ report: ReleaseReport) -> String {
    let fates = report.readmitted.fates
    var lines = [
      fates.total == 0
        ? "no event was wrongly late" : "\(fates.total) events were wrongly late: \(Pages.text(fates))"
    ]
    let left = report.uncertain + report.refused + report.readmitted.left
    if left > 0 {
      lines.append("\(left) late events stay in the quarantine; see 'topitems quarantine release'")
    }
    return lines.joined(separator: "\n")
  }

  static func failure(_ refusal: FloorRefusal) -> InputError {
    let text =
      switch refusal {
      case .notBelow(let floor):
        "the floor is \(floor.rfc3339). This command only moves it down; retention raises it"
      case .belowPurged(let until, let missing):
        "identifiers of events up to \(until.rfc3339) have been purged, those of \(missing) counted detections from the new "
          + "floor on. The lowest floor with which each still counts once is "
          + "\(Timestamp(microseconds: until.microseconds + 1).rfc3339); --accept-duplicates goes lower"
      case .busy: "another session folds, drops or purges, and did not end within a minute; try again"
      case .noFloor: "there is no floor yet: no worker has claimed a partition of this database"
      }
    return InputError(description: text)
  }

  /// The account that runs the command, as the system knows it.
  static func userName() -> String {
    guard let entry = getpwuid(geteuid()), let name = entry.pointee.pw_name else { return "uid \(geteuid())" }
    return String(cString: name)
  }

  private static func word(_ time: Timestamp) -> String {
    time == Timestamp(rfc3339: "0001-01-01T00:00:00Z") ? "-" : time.rfc3339
  }
}
