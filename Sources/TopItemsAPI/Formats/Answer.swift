/// What an endpoint has to say when nothing is wrong; `TopItemsAPI` makes a response of it.
struct Answer: Sendable {
  var body: [UInt8]
  var contentType = "application/json"
  /// Whether it may be kept as long as one asks each time if it still holds: it gets an entity tag. Otherwise it
  /// is never stored.
  var isRevalidated: Bool
  /// What it stands on, where it may be given to others who ask the same: see `AnswerCache`.
  var basis: Basis?
  /// How long its parts took, for `Server-Timing`.
  var timings: [(name: String, duration: Duration)] = []

  /// Receives an answer, on any thread.
  typealias Deliver = @Sendable (Result<Answer, APIError>) -> Void

  /// When an answer is known.
  enum Outcome {
    case ready(Answer)
    /// It takes the database, and so a worker thread.
    case blocking(@Sendable () throws(APIError) -> Answer)
    /// It comes by itself, without a worker thread. What is given here does not wait.
    case later(@Sendable (@escaping Deliver) -> Void)
    /// As `blocking`; and the answer serves everybody who asks the same in that format.
    case shared(Format, @Sendable () throws(APIError) -> Answer)
    /// It may be of any length, and leaves in pieces unless it is short. What is thrown is an `APIError` or a
    /// `StreamBroken`.
    case streaming(@Sendable (inout AnswerPieces) throws -> Void)
  }
}
