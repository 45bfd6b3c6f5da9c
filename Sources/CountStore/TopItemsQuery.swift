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

/// One question: which items were seen most, where, and when?
public struct TopItemsQuery: Sendable, Equatable {
  /// `geographical_location_oid`s; empty means every location.
  public var locations: [Int64]
  /// How many items each ranking has at most.
  public var n: Int
  /// Which event times count.
  public var range: TopItemsRange
  /// What is ranked together.
  public var grouping: Grouping
  /// An answer of more rows than this is refused with `CountStoreError.tooManyRows`, never cut.
  public var maximumRows: Int

  /// Takes each property.
  public init(locations: [Int64], n: Int, range: TopItemsRange, grouping: Grouping, maximumRows: Int) {
    self.locations = locations
    self.n = n
    self.range = range
    self.grouping = grouping
    self.maximumRows = maximumRows
  }
}
