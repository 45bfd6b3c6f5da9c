import ArgumentParser
import CountStore
import Counting
import Postgres

/// `topitems retention`: what the workers do in the background, once and now; and the settings that they go by.
struct RetentionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "retention",
    abstract: "Sum up what is past, and drop what is too old.",
    discussion: """
      Makes partitions ahead, folds minutes into hours, hours into days, days into months, raises the deduplication \
      floor, drops old partitions and deletes old keys. Every worker does this once a minute by itself, one at a \
      time; the command is for a system without workers, for a first look, and for cron. What is kept for how long \
      is stored in the database, for all workers.

        topitems retention --dry-run
        topitems retention
        topitems retention show
        topitems retention set --keep-minutes P14D
      """,
    subcommands: [Run.self, Show.self, Set.self],
    defaultSubcommand: Run.self
  )

  /// `topitems retention run`, or without the word.
  struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Do it now, by the stored settings.",
      discussion: """
        A dry run shows what a run would do, on the state as each step would leave it. Rows are counted and sizes of \
        partitions measured; what it says about other sizes is estimated, as the share of the table that goes.

        It goes by the database's clock, if a second one agrees with it: what has passed on this machine's monotonic \
        clock since they last agreed, or else this machine's clock. Where none does, nothing is done without --yes.
        """
    )

    @OptionGroup var database: DatabaseOptions
    @Flag(help: "Only show what would be done.")
    var dryRun = false
    @Flag(help: "Go by the database's clock although no second source agrees with it.")
    var yes = false

    func run() throws {
      let connection = try RetentionCommand.connect(database, writing: !dryRun)
      defer { connection.close() }
      StopSignal.listen()
      let store = CountStore(connection)
      let policy = try store.retentionForCommand()
      let clock = try store.checkClock(remembering: !dryRun)
      switch clock.verdict {
      case .success(let now):
        if let complaint = clock.complaint { StandardError.write(complaint) }
        try StandardOutput.write(text(policy, connection, now) + "\n")
      case .failure(let disagreement): try byHand(disagreement, clock, policy, connection)
      }
    }

    /// Nothing vouches for the database's clock: only an operator can.
    private func byHand(
      _ disagreement: ClockDisagreement,
      _ clock: ClockCheck,
      _ policy: RetentionPolicy,
      _ connection: Connection
    ) throws {
      let store = CountStore(connection)
      let asked = TrustedClock.believe(clock.reading)
      let plan = RetentionText.lines(try store.planRetention(policy, now: asked.time))
      let goes = plan.isEmpty ? "nothing" : plan.joined(separator: "; ")
      StandardError.write("\(disagreement)")
      guard yes, !dryRun else {
        let note = "If it is right, --yes goes by it: \(goes)."
        guard dryRun else { throw InputError(description: "nothing was done. \(note)") }
        try StandardOutput.write(note + "\n")
        return
      }
      StandardError.write("by hand, at \(asked.time.rfc3339): \(goes)")
      try StandardOutput.write(text(policy, connection, store.believeClock()) + "\n")
    }

    private func text(_ policy: RetentionPolicy, _ connection: Connection, _ now: AgreedTime) throws -> String
    {
      var lines: [String]
      if dryRun {
        lines = RetentionText.lines(try CountStore(connection).planRetention(policy, now: now.time))
      } else {
        var retention = Retention(policy)
        lines = RetentionText.lines(try retention.run(on: connection, at: now) { StopSignal.isRequested })
      }
      return lines.isEmpty ? "nothing to do" : lines.joined(separator: "\n")
    }
  }

  /// `topitems retention show`
  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show the stored settings.")

    @OptionGroup var database: DatabaseOptions

    func run() throws {
      let connection = try RetentionCommand.connect(database, writing: false)
      defer { connection.close() }
      guard let stored = try CountStore(connection).storedRetention() else {
        let defaults = RetentionText.lines(RetentionPolicy()).joined(separator: "\n")
        try StandardOutput.write(
          "\(defaults)\nthe defaults: no worker and no 'retention set' has stored any yet\n"
        )
        return
      }
      let lines = RetentionText.lines(stored.policy)
      let origin = "stored at \(stored.changedAt.rfc3339) by \(SafeText.line(stored.changedBy))"
      try StandardOutput.write((lines + [origin]).joined(separator: "\n") + "\n")
    }
  }

  /// `topitems retention set`
  struct Set: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Change the stored settings, for all workers.",
      discussion: """
        Workers go by them from their next run of retention on, within a minute or two. It prints what would be lost; a \
        change that makes a setting shorter by more than half, or by which something is deleted at the next run that \
        would stay otherwise, is refused without --yes. What is deleted does not come back.

          topitems retention set --dedup-horizon P14D --keep-minutes P14D
          topitems retention set --keep-dead-letters P90D --dry-run
        """
    )

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var settings: RetentionOptions
    @Flag(help: "Only show what would change, and what would be lost.") var dryRun = false
    // Without a variable, like every flag that decides what is deleted.
    @Flag(help: "Change them although something is lost.") var yes = false

    func run() throws {
      let change = try settings.change(readsEnvironment: false)
      guard !change.lengths.isEmpty else {
        let names = RetentionSetting.allCases.map { "--\($0.rawValue)" }.joined(separator: ", ")
        throw ValidationError("Say what to change: \(names).")
      }
      let connection = try RetentionCommand.connect(database, writing: true)
      defer { connection.close() }
      let report = try CountStore(connection).changeRetention(change, isConfirmed: yes, dryRun: dryRun)
      try StandardOutput.write(Self.lines(report).joined(separator: "\n") + "\n")
      guard report.isStored || report.changed.isEmpty || dryRun else {
        throw RefusedError(
          description: "nothing was changed: repeat it with --yes to lose what is listed above"
        )
      }
    }

    private static func lines(_ report: RetentionChangeReport) -> [String] {
      var lines = report.changed.map { setting in
        let (old, new) = (report.old[setting], report.new[setting])
        return "\(setting.rawValue): \(RetentionText.length(old)) → \(RetentionText.length(new))"
          + (report.halved.contains(setting) && !report.isFirst ? ", shorter by more than half" : "")
      }
      if lines.isEmpty { lines.append(report.isStored ? "stored as they are" : "nothing to change") }
      if let plan = report.plan, let before = report.planBefore {
        let losses = RetentionText.losses(plan)
        if losses.isEmpty {
          lines.append("the next run of retention deletes nothing")
        } else {
          let cause = plan.destroysMore(than: before) ? "" : ", by the old settings as well"
          lines.append("by these settings, the next run of retention\(cause)")
          lines += losses.map { "  " + $0 }
        }
      }
      return lines
    }
  }

  private static func connect(_ database: DatabaseOptions, writing: Bool) throws -> Connection {
    var options = try database.connection(for: "retention", statementTimeoutSeconds: nil, writing: writing)
    options.settings = [("lock_timeout", "10s"), ("jit", "off")]
    return try Connection(options)
  }
}

/// Something was asked for that needs a confirmation, which was not given; nothing was changed.
struct RefusedError: Error, CustomStringConvertible {
  var description: String
}
