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

  /// When a response is known.
  enum Outcome {
    case ready(EndpointResponse)
    /// It takes the database, and so a worker thread.
    case blocking(@Sendable () throws(APIError) -> EndpointResponse)
    /// It comes by itself, without a worker thread. What is given here does not wait.
    case later(@Sendable (@escaping Deliver) -> Void)
    /// As `blocking`; and the response is shared by all requests of the same question and format.
    case shared(Format, @Sendable () throws(APIError) -> EndpointResponse)
    /// It may be of any length, and leaves in pieces unless it is short. What is thrown is an `APIError` or a
    /// `StreamBroken`.
    case streaming(@Sendable (inout ResponsePieces) throws -> Void)
  }
}
