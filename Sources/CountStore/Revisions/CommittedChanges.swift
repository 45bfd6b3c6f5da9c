public import Counting

/// Changes that were committed since the last ones, for subscribers that cache responses.
///
/// Responses about one location and responses about several receive the same change at different times, see
/// `ChangeThrottle`.
public struct CommittedChanges: Sendable, Equatable {
  /// The locations whose counts or names changed, for responses about one location; nil: any may have.
  public var alone: [Int64]? = []
  /// The same for responses about several locations, or about all.
  public var together: [Int64]? = []
  /// The latest event time that came. It can begin a new window, and so move every range that ends at the newest one.
  public var newestEvent: Timestamp?

  /// No change.
  public init() {}

  /// These changes, for all responses.
  public init(_ notices: [RevisionNotice]) {
    for notice in notices {
      together?.append(contentsOf: notice.locations ?? [])
      if notice.locations == nil { together = nil }
    }
    alone = together
    newestEvent = notices.compactMap(\.newestEvent).max()
  }

  /// Whether there is no change.
  public var isEmpty: Bool { alone?.isEmpty == true && together?.isEmpty == true && newestEvent == nil }
}
