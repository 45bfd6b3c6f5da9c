import Locks

/// Results that are handed out page by page. Counts go on while a client reads, and ranks change places; so a result is
/// made once, from one snapshot, and its later pages are kept here, written as they will be sent.
///
/// Bounded in bytes: the result that was not asked for longest makes room. What nobody asks for in five minutes goes.
final class HeldPages: Sendable {
  /// A whole result.
  struct Result: Sendable {
    /// What stands before the entities of each page.
    var head: [UInt8]
    /// The entities of each page.
    var pages: [[UInt8]]
    var contentType: String
    /// The question that it answers: a token is of use for no other.
    var question: String

    /// How much memory it takes, in bytes.
    fileprivate var heldBytes: Int {
      pages.reduce(head.heldBytes + pages.heldBytes + question.heldBytes + contentType.heldBytes) {
        $0 + $1.heldBytes
      }
    }

    /// The same without room to grow.
    fileprivate func trimmed() -> Result {
      Result(
        head: head.trimmed(),
        pages: pages.map { $0.trimmed() },
        contentType: contentType,
        question: question.trimmed()
      )
    }
  }

  /// The most bytes that are held.
  let capacity: Int
  private let now: @Sendable () -> ContinuousClock.Instant
  private let shelf: Lock<ResultShelf<String, Result>>

  init(
    capacity: Int,
    idle: Duration = .seconds(300),
    now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
  ) {
    self.capacity = capacity
    self.now = now
    shelf = Lock(ResultShelf(capacity: capacity, idleLimit: idle))
  }

  /// Keeps a result that is not larger than the capacity.
  /// - Returns: its name, which nobody can guess.
  func hold(_ result: Result) -> String {
    var random = SystemRandomNumberGenerator()
    let id = String(random.next(), radix: 36) + String(random.next(), radix: 36)
    let result = result.trimmed()
    let now = now()
    shelf.withLock { $0.put(result, result.heldBytes, under: id, now) }
    return id
  }

  /// A result that is still there.
  func result(_ id: String) -> Result? {
    let now = now()
    return shelf.withLock { $0.use(id, now) }
  }
}
