import APICore
import JSONText

/// What an endpoint has to say when nothing is wrong; `TopItemsAPI` makes a response of it.
struct EndpointResponse: Sendable {
  var body: [UInt8]
  var contentType = "application/json"
  /// Whether it may be kept as long as one asks each time if it still holds: it gets an entity tag. Otherwise it
  /// is never stored.
  var isRevalidated: Bool
  /// What it depends on, where it may be shared, see `ResponseCache`.
  var dependency: CacheDependency?
  /// How long its parts took, for `Server-Timing`.
  var timings: [(name: String, duration: Duration)] = []

  /// Receives a response, on any thread.
  typealias Deliver = @Sendable (Result<EndpointResponse, APIError>) -> Void
}
