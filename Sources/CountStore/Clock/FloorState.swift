public import Counting

/// The deduplication floor and what depends on it.
public struct FloorState: Sendable, Equatable {
  /// Events below it are late.
  public var floor: Timestamp
  /// The newest event time among the keys that were ever purged; nil where none was.
  public var purgedUntil: Timestamp?
  /// The database's clock.
  public var now: Timestamp
  /// Late events in the quarantine that certainly count at most once: above `purgedUntil`.
  public var certainLateEvents: Int64
  /// The other late events in the quarantine.
  public var uncertainLateEvents: Int64
  /// Until when each level is complete, and from when it is kept; the minutes first.
  public var levels: [Level]
  /// What operators have done, the newest first.
  public var changes: [FloorChange]

  /// One level of counts. The year 1 stands for "not yet" and "all".
  public struct Level: Sendable, Equatable {
    /// minute, hour, day or month
    public var name: String
    /// Until when it is complete; nil for the minutes, which always are.
    public var foldedUntil: Timestamp?
    /// From when it is kept.
    public var keptFrom: Timestamp
  }

  /// The lowest floor with which every detection still counts once; nil where any will do.
  public var lowestCertain: Timestamp? {
    purgedUntil.map { Timestamp(microseconds: $0.microseconds.saturatingPlus(1)) }
  }
}

/// One change of the floor by an operator.
public struct FloorChange: Sendable, Equatable {
  /// When, by the database's clock.
  public var changedAt: Timestamp
  /// The account that ran the command.
  public var changedBy: String
  /// The reason given; nil where none was.
  public var reason: String?
  /// Before.
  public var oldFloor: Timestamp
  /// After.
  public var newFloor: Timestamp
  /// Whether the floor was allowed below what was purged.
  public var acceptsDuplicates: Bool
  /// Counted detections above the new floor whose key is gone.
  public var missingKeys: Int64
}

/// Why the floor stays where it is.
public enum FloorRefusal: Error, Sendable, Equatable {
  /// The wish is not below the floor. Only retention raises it.
  case notBelow(floor: Timestamp)
  /// Keys up to that time have been purged, so that an event of that time may count twice.
  case belowPurged(until: Timestamp, missingKeys: Int64)
  /// Another session folds, drops or purges, and does not end.
  case busy
  /// No worker has claimed anything yet, so that there is no floor.
  case noFloor
}

/// What a change of the floor did.
public enum FloorOutcome: Sendable {
  /// It is done.
  case changed(FloorChange)
  /// Nothing is changed.
  case refused(FloorRefusal)
}
