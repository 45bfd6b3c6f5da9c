public import CountStore
public import Counting

/// At whose pace rows are read.
public enum Pace: Sendable {
  /// As fast as they come, into memory: a time limit for the whole response is in place.
  case memory
  /// As fast as a client takes them, which may be slow: only the wait for each row may be limited.
  case client
}

/// What the API asks of the database. Each closure but `readiness` may block and is only called from a worker thread.
///
/// Closures, so that tests answer from memory and the server from its pool of connections. Those that hand over rows
/// throw a `CountStoreError`, or what a closure that they call throws.
public struct Backend: Sendable {
  /// Answers one query from one snapshot.
  public var topItems: @Sendable (TopItemsQuery) throws(CountStoreError) -> TopItems
  /// Hands over a top list: first without its rows, then each of them.
  public var eachTopItem:
    @Sendable (
      TopItemsQuery, Pace, _ begin: (TopItems) throws -> Void, _ row: (TopItems.Row) throws -> Void
    ) throws -> Void
  /// Answers with counts per bucket from one snapshot.
  public var series: @Sendable (SeriesQuery) throws(CountStoreError) -> Series
  /// Hands over the locations: first the revision, then number and name of each.
  public var eachLocation:
    @Sendable (
      _ maximumRows: Int, Pace, _ begin: (Int64) throws -> Void, _ row: (Int64, String?) throws -> Void
    ) throws -> Void
  /// Hands over the names of items: first the revision, then each name.
  public var eachItem:
    @Sendable (
      _ prefix: String?, _ maximumRows: Int, Pace, _ begin: (Int64) throws -> Void,
      _ row: (String) throws -> Void
    ) throws -> Void
  /// How far a time zone is ahead of UTC at each of these times, in seconds.
  public var offsets: @Sendable (_ zone: String, _ times: [Timestamp]) throws(CountStoreError) -> [Int]
  /// Connects to the database and compares its migrations with this binary's. It returns at once, and calls `deliver`
  /// once, on any thread.
  public typealias Probe =
    @Sendable (_ deliver: @escaping @Sendable (Result<Readiness, CountStoreError>) -> Void) -> Void
  /// Whether queries can be answered. It does not wait for those in progress.
  public var readiness: Probe
  /// The status of the whole system, from one snapshot.
  public var status: @Sendable () throws(CountStoreError) -> SystemStatus

  /// Takes each closure.
  public init(
    topItems: @escaping @Sendable (TopItemsQuery) throws(CountStoreError) -> TopItems,
    eachTopItem:
      @escaping @Sendable (
        TopItemsQuery, Pace, _ begin: (TopItems) throws -> Void, _ row: (TopItems.Row) throws -> Void
      ) throws -> Void,
    series: @escaping @Sendable (SeriesQuery) throws(CountStoreError) -> Series,
    eachLocation:
      @escaping @Sendable (
        _ maximumRows: Int, Pace, _ begin: (Int64) throws -> Void, _ row: (Int64, String?) throws -> Void
      ) throws -> Void,
    eachItem:
      @escaping @Sendable (
        _ prefix: String?, _ maximumRows: Int, Pace, _ begin: (Int64) throws -> Void,
        _ row: (String) throws -> Void
      ) throws -> Void,
    offsets: @escaping @Sendable (_ zone: String, _ times: [Timestamp]) throws(CountStoreError) -> [Int],
    readiness: @escaping Probe,
    status: @escaping @Sendable () throws(CountStoreError) -> SystemStatus
  ) {
    self.topItems = topItems
    self.eachTopItem = eachTopItem
    self.series = series
    self.eachLocation = eachLocation
    self.eachItem = eachItem
    self.offsets = offsets
    self.readiness = readiness
    self.status = status
  }
}
