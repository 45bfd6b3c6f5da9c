public import Counting

/// The span of event time that a top list is asked for; always half-open, `from` inside, `to` outside.
public enum TopItemsRange: Sendable, Equatable {
  /// So much time up to the end of the newest counted window, so that the freshest event is always in it.
  case newest(TimeSpan)
  /// From (nil: from the first counted window) to (nil: up to the end of the newest counted window).
  case between(Timestamp?, Timestamp?)
}

/// What is ranked together.
public enum Grouping: String, Sendable, CaseIterable {
  /// One ranking for each location.
  case location
  /// One ranking over all the locations asked for.
  case all
}

/// What becomes of items that have as many detections as the last one of a ranking.
public enum Ties: String, Sendable, CaseIterable {
  /// The order of their names decides, and a ranking has `n` items at most.
  case cut
  /// All of them are listed, however many there are.
  case include
}

/// One query: which items were seen most, where, and when?
public struct TopItemsQuery: Sendable, Equatable {
  /// `geographical_location_oid`s; empty means every location.
  public var locations: [Int64]
  /// How many items each ranking has at most.
  public var n: Int
  /// Which event times count.
  public var range: TopItemsRange
  /// What is ranked together.
  public var grouping: Grouping
  /// What becomes of items that share the last place.
  public var ties: Ties
  /// Only items whose names begin with these bytes; then ranks and rest are about them alone. nil: all.
  public var itemPrefix: String?
  /// Whether what is counted and not listed comes as one more row of each ranking.
  public var hasOthers: Bool
  /// Whether each row has the total of its location (or of all) in the range, whatever `itemPrefix` says.
  public var hasShare: Bool
  /// Whether each row is compared with the span of the same length before; items that were among the best then, and are
  /// not any more, come as rows too.
  public var comparesPrevious: Bool
  /// A response of more rows than this is refused with `CountStoreError.tooManyRows`, never cut.
  public var maximumRows: Int

  /// Takes each property.
  public init(
    locations: [Int64],
    n: Int,
    range: TopItemsRange,
    grouping: Grouping,
    ties: Ties = .cut,
    itemPrefix: String? = nil,
    hasOthers: Bool = false,
    hasShare: Bool = false,
    comparesPrevious: Bool = false,
    maximumRows: Int
  ) {
    self.locations = locations
    self.n = n
    self.range = range
    self.grouping = grouping
    self.ties = ties
    self.itemPrefix = itemPrefix
    self.hasOthers = hasOthers
    self.hasShare = hasShare
    self.comparesPrevious = comparesPrevious
    self.maximumRows = maximumRows
  }
}
