import ArgumentParser
import CountStore

/// What is kept for how long: options of the worker, which sees to it in the background, and of `topitems retention`.
/// They should say the same everywhere; where they differ, the shortest time wins.
struct RetentionOptions: ParsableArguments {
  @Option(
    help: .option(
      "dedup-horizon",
      "How far back events are counted, and at least how long a detection is known to be counted; older events are "
        + "quarantined as late.",
      default: "P7D"
    )
  )
  var dedupHorizon: String?
  @Option(
    help: .option(
      "keep-minutes",
      "How long counts are kept by the minute (by whole days, and at least for the dedup horizon).",
      default: "P7D"
    )
  )
  var keepMinutes: String?
  @Option(
    help: .option(
      "keep-hours",
      "How long counts are kept by the hour (by whole months); those of days and months stay.",
      default: "P365D"
    )
  )
  var keepHours: String?
  @Option(help: .option("keep-dead-letters", "How long dead letters are kept.", default: "for ever"))
  var keepDeadLetters: String?
  @Option(help: .option("keep-quarantine", "How long quarantined events are kept.", default: "for ever"))
  var keepQuarantine: String?

  /// A thousand years: PostgreSQL's calendar ends, or rather begins, 5,000 years later.
  private static let longest: Int64 = 1000 * 366 * 86_400

  func policy() throws -> RetentionPolicy {
    var policy = RetentionPolicy()
    policy.dedupHorizon = try seconds("dedup-horizon", dedupHorizon) ?? policy.dedupHorizon
    policy.minutes = try seconds("keep-minutes", keepMinutes) ?? policy.minutes
    policy.hours = try seconds("keep-hours", keepHours) ?? policy.hours
    policy.deadLetters = try seconds("keep-dead-letters", keepDeadLetters)
    policy.quarantine = try seconds("keep-quarantine", keepQuarantine)
    return policy
  }

  private func seconds(_ name: String, _ typed: String?) throws -> Int64? {
    try EnvironmentOption.value(name, typed).map {
      try DurationOption.seconds($0, name, atMost: Self.longest)
    }
  }
}
