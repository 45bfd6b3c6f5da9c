public import CountStore

/// What the API asks of the database. Each closure may block and is only called from `Reply.blocking`.
///
/// Closures, so that tests answer from memory and the server from its pool of connections.
public struct Backend: Sendable {
  /// Answers one question from one snapshot.
  public var topItems: @Sendable (TopItemsQuery) throws(CountStoreError) -> TopItems
  /// Reaches for the database and compares its migrations with this binary's.
  public var readiness: @Sendable () throws(CountStoreError) -> Readiness
  /// Tells how the whole system stands, from one snapshot.
  public var status: @Sendable () throws(CountStoreError) -> SystemStatus

  /// Takes each closure.
  public init(
    topItems: @escaping @Sendable (TopItemsQuery) throws(CountStoreError) -> TopItems,
    readiness: @escaping @Sendable () throws(CountStoreError) -> Readiness,
    status: @escaping @Sendable () throws(CountStoreError) -> SystemStatus
  ) {
    self.topItems = topItems
    self.readiness = readiness
    self.status = status
  }
}
