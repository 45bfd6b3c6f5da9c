public import Counting

/// What is kept for how long, in seconds.
public struct RetentionPolicy: Sendable, Equatable {
  /// Minutes are dropped after it, by whole days. They stay at least as long as the deduplication horizon: an event of
  /// that time may still come.
  public var minutes: Int64 = 7 * 86_400
  /// Hours are dropped after it, by whole months; never before the minutes.
  public var hours: Int64 = 365 * 86_400
  /// How far back an event may be that is counted, and for how long, at least, its key is kept.
  public var dedupHorizon: Int64 = 7 * 86_400
  /// Dead letters are deleted after it; nil keeps them.
  public var deadLetters: Int64?
  /// Quarantined events are deleted after it; nil keeps them.
  public var quarantine: Int64?
  /// Revisions are forgotten after it; the newest never is.
  public var revisions: Int64 = 3600
  /// How long after its end a unit of time is folded; later events of it cost an update at each level.
  public var foldDelay: Int64 = 300

  /// Minutes for a week, hours for a year, all coarser levels, quarantined events and dead letters for ever.
  public init() {}

  /// How far the floor may lag behind the horizon: raising it more often would only make more purges of less each.
  var floorStep: Int64 { max(1, dedupHorizon / 168) }

  /// Below which keys are purged: a floor that lies above the horizon, as one that a wrong clock has raised, is no
  /// reason to delete.
  func purgeFloor(_ floor: Timestamp, now: Timestamp) -> Timestamp {
    min(floor, now.earlier(by: dedupHorizon))
  }
}

/// What one run of retention did.
public struct RetentionReport: Sendable, Equatable {
  /// Another session was at it; nothing was done.
  public var isBusyElsewhere = false
  /// Levels whose mark moved, with the rows that were written.
  public var folded: [(level: RollupLevel, until: Timestamp, rows: Int)] = []
  /// The deduplication floor, where it was raised.
  public var floor: Timestamp?
  /// Partitions that were dropped.
  public var droppedPartitions: [String] = []
  /// Keys of detections that were purged.
  public var purgedDetections = 0
  /// Dead letters that were deleted.
  public var purgedDeadLetters = 0
  /// Quarantined events that were deleted.
  public var purgedQuarantine = 0
  /// Revisions that were forgotten.
  public var trimmedRevisions = 0

  /// Nothing done yet.
  public init() {}

  /// Whether there was anything to do.
  public var isEmpty: Bool { self == RetentionReport() }

  /// Field by field; tuples have no conformance of their own.
  public static func == (a: RetentionReport, b: RetentionReport) -> Bool {
    a.isBusyElsewhere == b.isBusyElsewhere && a.floor == b.floor && a.droppedPartitions == b.droppedPartitions
      && a.folded.elementsEqual(b.folded, by: ==) && a.purgedDetections == b.purgedDetections
      && a.purgedDeadLetters == b.purgedDeadLetters && a.purgedQuarantine == b.purgedQuarantine
      && a.trimmedRevisions == b.trimmedRevisions
  }
}
