import Threading

/// Results that clients read page by page. Counting goes on while a client reads, and ranks change; so a result is made
/// once, from one snapshot, and its later pages are kept here, encoded.
///
/// Bounded in bytes: the result that was unused for longest is removed first. A result that was unused for five
/// minutes is removed, too.
final class ODataResultSets: Sendable {
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
    fileprivate var memoryBytes: Int {
      pages.reduce(head.memoryBytes + pages.memoryBytes + question.memoryBytes + contentType.memoryBytes) {
        $0 + $1.memoryBytes
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
  private let shelf: Lock<ByteLimitedLRU<String, Result>>

  init(
    capacity: Int,
    idle: Duration = .seconds(300),
    now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
  ) {
    self.capacity = capacity
    self.now = now
    shelf = Lock(ByteLimitedLRU(capacity: capacity, idleLimit: idle))
  }

  /// Keeps a result that is not larger than the capacity.
  /// - Returns: its random ID.
  func hold(_ result: Result) -> String {
    var random = SystemRandomNumberGenerator()
    let id = String(random.next(), radix: 36) + String(random.next(), radix: 36)
    let result = result.trimmed()
    let now = now()
    shelf.withLock { $0.put(result, result.memoryBytes, under: id, now) }
    return id
  }

  /// A result that is still there.
  func result(_ id: String) -> Result? {
    let now = now()
    return shelf.withLock { $0.use(id, now) }
  }
}
