public import Counting

/// What was committed since the last news, for those who keep answers.
///
/// Answers about one location and answers about several hear of the same change each at a pace of their own, see
/// `HearingLanes`.
public struct HeardRevisions: Sendable, Equatable {
  /// The locations whose counts or names changed, for answers about one location; nil: any may have.
  public var alone: [Int64]? = []
  /// The same for answers about several locations, or about all.
  public var together: [Int64]? = []
  /// The latest event time that came. It can begin a new window, and so move every range that ends at the newest one.
  public var newestEvent: Timestamp?

  /// No change.
  public init() {}

  /// These changes, for everybody.
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
