import ArgumentParser
import CountStore

/// What is kept for how long: options of the worker, for a database that has no such settings yet, and of
/// `topitems retention set`.
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
  @Option(
    help: .option("keep-dead-letters", "How long dead letters are kept, or for-ever.", default: "for-ever")
  )
  var keepDeadLetters: String?
  @Option(
    help: .option(
      "keep-quarantine",
      "How long quarantined events are kept, or for-ever.",
      default: "for-ever"
    )
  )
  var keepQuarantine: String?

  /// A thousand years: PostgreSQL's calendar ends, or rather begins, 5,000 years later.
  private static let longest: Int64 = 1000 * 366 * 86_400
  private static let forEver = "for-ever"

  private func typed(_ setting: RetentionSetting) -> String? {
    switch setting {
    case .dedupHorizon: dedupHorizon
    case .minutes: keepMinutes
    case .hours: keepHours
    case .deadLetters: keepDeadLetters
    case .quarantine: keepQuarantine
    }
  }

  /// What was typed.
  /// - Parameter readsEnvironment: what was not typed is taken from its variable. Not where it changes what is
  ///   stored: a variable that was meant for a worker must not.
  func change(readsEnvironment: Bool) throws -> RetentionChange {
    var change = RetentionChange()
    for setting in RetentionSetting.allCases {
      let name = setting.rawValue
      let typed = typed(setting)
      guard let text = readsEnvironment ? try EnvironmentOption.value(name, typed) : typed else { continue }
      if setting.mayBeForEver, text == Self.forEver {
        change.lengths[setting] = .forEver
      } else {
        change.lengths[setting] = .seconds(try DurationOption.seconds(text, name, atMost: Self.longest))
      }
    }
    return change
  }
}
