/// What becomes of a message. Every message has exactly one fate.
public enum Fate: String, Sendable, CaseIterable {
  /// The first of its `detection_oid`: in the counts.
  case counted
  /// Its `detection_oid` was counted before.
  case duplicate
  /// Quarantined: older than the deduplication floor.
  case late
  /// Quarantined: further ahead of the database's clock than the allowed skew.
  case future
  /// It can never be an event; see `DecodeFailure`.
  case deadLetter = "dead_letter"
  /// No payload: Kafka's mark of a deleted key.
  case tombstone

  /// The name of its column in every table that has one for each fate, and its key in JSON (`/v1/status`, the
  /// simulator's truth). The label of the metric is `rawValue`.
  public var column: StaticString {
    switch self {
    case .counted: "counted"
    case .duplicate: "duplicates"
    case .late: "late"
    case .future: "future"
    case .deadLetter: "dead_letters"
    case .tombstone: "tombstones"
    }
  }
}

/// How many messages met each fate.
public struct FateCounts: Hashable, Sendable {
  /// Messages counted as a detection.
  public var counted = 0
  /// Messages whose detection was counted before.
  public var duplicate = 0
  /// Messages quarantined as late.
  public var late = 0
  /// Messages quarantined as future.
  public var future = 0
  /// Messages that can never be an event.
  public var deadLetter = 0
  /// Messages without a payload.
  public var tombstone = 0

  /// No messages yet.
  public init() {}

  /// The messages of one fate.
  public subscript(fate: Fate) -> Int {
    get {
      switch fate {
      case .counted: counted
      case .duplicate: duplicate
      case .late: late
      case .future: future
      case .deadLetter: deadLetter
      case .tombstone: tombstone
      }
    }
    set {
      switch fate {
      case .counted: counted = newValue
      case .duplicate: duplicate = newValue
      case .late: late = newValue
      case .future: future = newValue
      case .deadLetter: deadLetter = newValue
      case .tombstone: tombstone = newValue
      }
    }
  }

  /// All messages.
  public var total: Int { Fate.allCases.reduce(0) { $0 + self[$1] } }

  /// Adds the counts of other messages.
  public static func += (counts: inout FateCounts, more: FateCounts) {
    for fate in Fate.allCases { counts[fate] += more[fate] }
  }
}
