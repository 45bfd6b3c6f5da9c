import Threading

/// Results that clients are in the middle of reading page by page: all pages are of the revision of the first one.
///
/// Bounded in bytes: the result that was unused for longest goes first. What was unused for five minutes goes, too.
final class ResultSets: Sendable {
  /// Names a result; not to be guessed.
  struct Key: Hashable, Sendable {
    var high: UInt64
    var low: UInt64

    /// A new one.
    static func random() -> Key {
      var random = SystemRandomNumberGenerator()
      return Key(high: random.next(), low: random.next())
    }
  }

  /// A result, and the question that it answers.
  typealias Kept = (result: EncodedResult, question: String)

  /// Names this server in cursors: other servers do not have its results.
  let instance = UInt64.random(in: 0...(.max))
  private let shelf: Lock<ByteLimitedLRU<Key, Kept>>

  init(capacity: Int, idleLimit: Duration = .seconds(300)) {
    shelf = Lock(ByteLimitedLRU(capacity: capacity, idleLimit: idleLimit))
  }

  /// The memory that they take, in bytes.
  var bytes: Int { shelf.withLock { $0.bytes } }

  /// Keeps a result. One that is larger than all that may be kept is not, and its second page is gone.
  func keep(_ result: EncodedResult, question: String, now: ContinuousClock.Instant = .now) -> Key {
    let key = Key.random()
    let kept = (result: result.trimmed(), question: question.trimmed())
    let bytes = kept.result.memoryBytes + kept.question.memoryBytes
    shelf.withLock { $0.put(kept, bytes, under: key, now) }
    return key
  }

  /// A result that is still there.
  func find(_ key: Key, now: ContinuousClock.Instant = .now) -> Kept? {
    shelf.withLock { $0.use(key, now) }
  }
}
