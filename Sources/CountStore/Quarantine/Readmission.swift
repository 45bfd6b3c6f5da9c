import Counting

/// A dead letter or a quarantined event, with the event that it is.
struct Readmission: Sendable {
  var position: MessagePosition
  /// What became of it so far: a dead letter, late or future.
  var fate: Fate
  var event: Batch.QuarantinedEvent

  /// Where such messages are kept.
  enum Source: String {
    case deadLetters = "dead_letter"
    case quarantine
  }
}

/// How many dead letters or quarantined events got which fate.
public struct ReadmissionReport: Sendable, Equatable {
  /// Their new fates. One that is quarantined again for the same reason, or is still no event, is not among them.
  public var fates = FateCounts()
  /// Left as they are: another session has locked them, or their time has not come.
  public var left = 0
  /// Of those with a new fate, how many no partition's fates had accounted for: the row of `ingest_offset` was deleted
  /// since, and is missing or will come to them again.
  public var unaccounted = 0

  /// Nothing yet.
  public init() {}

  /// Adds another report.
  public static func += (report: inout ReadmissionReport, other: ReadmissionReport) {
    report.fates += other.fates
    report.left += other.left
    report.unaccounted += other.unaccounted
  }
}

/// What moves from one fate to others in a partition's row of `ingest_offset`.
struct FateMoves {
  /// What the fates grow by, or shrink.
  private(set) var changes: [Fate: Int64] = [:]
  /// The largest event time that is accepted now.
  var maximumEventAt: Timestamp?
  private(set) var messages = 0

  mutating func move(_ count: Int, from old: Fate, to new: Fate) {
    changes[old, default: 0] -= Int64(count)
    changes[new, default: 0] += Int64(count)
    messages += count
  }

  /// Whether a row with these fates can include the messages: no fate may fall below zero. A row that was deleted and
  /// inserted again after them does not.
  func fit(_ stored: FateCounts) -> Bool {
    changes.allSatisfy { Int64(stored[$0.key]) + $0.value >= 0 }
  }
}
