/// What an endpoint has to say when nothing is wrong; `TopItemsAPI` makes a response of it.
struct Answer: Sendable {
  var body: [UInt8]
  /// Whether it may be kept as long as one asks each time if it still holds: it gets an entity tag. Otherwise it
  /// is never stored.
  var isRevalidated: Bool
  /// What it stands on, where it may be given to others who ask the same: see `AnswerCache`.
  var basis: Basis?
  /// How long its parts took, for `Server-Timing`.
  var timings: [(name: String, duration: Duration)] = []

  /// When an answer is known.
  enum Outcome {
    case ready(Answer)
    /// It takes the database, and so a worker thread.
    case blocking(@Sendable () throws(APIError) -> Answer)
  }
}
