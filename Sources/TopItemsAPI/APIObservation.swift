public import CountStore

/// What is worth knowing about the API beyond its answers; logs and metrics subscribe.
public enum APIObservation: Sendable {
  /// The database did not answer a question at this path, or not to its end. The client was told no more than what kind
  /// of trouble it is.
  case questionFailed(path: String, CountStoreError)
  /// The database did not say whether it is ready.
  case readinessFailed(CountStoreError)
  /// The database did not tell how the system stands.
  case statusFailed(CountStoreError)
  /// The database did not give the rows of a view.
  case tableFailed(CountStoreError)
}
