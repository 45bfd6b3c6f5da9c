public import Counting

/// A stored event that is not counted because of its event time.
public struct QuarantinedEvent: Sendable, Equatable {
  /// Where its message stands in Kafka.
  public var position: MessagePosition
  /// `.late` or `.future`.
  public var reason: Fate
  /// `detection_oid`
  public var oid: Int64
  /// `geographical_location_oid`
  public var location: Int64
  /// `video_camera_oid`
  public var camera: Int64
  /// As the camera sent it: never trust it in a page or a command.
  public var itemName: String
  /// `timestamp_detected`
  public var detectedAt: Timestamp
  /// When it was quarantined, by the database's clock.
  public var recordedAt: Timestamp
}

/// Which quarantined events are meant: those that satisfy everything that is given.
public struct QuarantineFilter: Sendable, Equatable {
  /// The topic's name.
  public var topic: String?
  /// The partition's number.
  public var partition: Int32?
  /// `.late` or `.future`.
  public var reason: Fate?
  /// Detected at this time or later.
  public var since: Timestamp?
  /// Detected before this time.
  public var until: Timestamp?

  /// All of them.
  public init() {}
}

/// Whether late events are released; docs/decisions/quarantine.md says why this is a choice.
public enum LateRelease: Sendable, CaseIterable {
  /// None is.
  case none
  /// Those of which it is certain that they count at most once.
  case certain
  /// All: one whose key has been purged counts a second time.
  case forced
}

/// The result of releasing some quarantined events.
public struct ReleaseReport: Sendable, Equatable {
  /// Events that were looked at.
  public var examined = 0
  /// What became of those that were released.
  public var readmitted = ReadmissionReport()
  /// Late ones that may have been counted, and purged, before: they stay.
  public var uncertain = 0
  /// Those that the database refuses: they stay.
  public var refused = 0
  /// The position to continue after; nil at the end.
  public var last: MessagePosition?

  /// Nothing yet.
  public init() {}

  /// Adds the report of the next call.
  public static func += (report: inout ReleaseReport, next: ReleaseReport) {
    report.examined += next.examined
    report.readmitted += next.readmitted
    report.uncertain += next.uncertain
    report.refused += next.refused
    report.last = next.last
  }
}
