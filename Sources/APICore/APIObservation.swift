public import CountStore

/// What is worth knowing about the API beyond its responses; logs and metrics subscribe.
public enum APIObservation: Sendable {
  /// The database did not answer a query at this path, or not completely. The client receives only the kind of
  /// failure.
  case queryFailed(path: String, CountStoreError)
  /// The database did not say whether it is ready.
  case readinessFailed(CountStoreError)
  /// The database did not return the system's status.
  case statusFailed(CountStoreError)
  /// The database did not give the rows of a view.
  case tableFailed(CountStoreError)
}

/// Receives what happens in the API; called on worker threads.
public typealias Observe = @Sendable (APIObservation) -> Void
