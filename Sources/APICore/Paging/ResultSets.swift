import Threading

/// A whole result that is read page by page.
package protocol PagedResult: Sendable {
  /// How much memory it takes, in bytes.
  var memoryBytes: Int { get }
  /// The same without room to grow.
  func trimmed() -> Self
}

/// Names a result; not to be guessed.
package struct ResultKey: Hashable, Sendable {
  package var high: UInt64
  package var low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// A new one.
  static func random() -> ResultKey {
    var random = SystemRandomNumberGenerator()
    return ResultKey(high: random.next(), low: random.next())
  }
}

/// Results that clients are in the middle of reading page by page. Counting goes on while a client reads, and ranks
/// change; so a result is made once, from one snapshot, and its later pages are kept here.
///
/// Bounded in bytes: the result that was unused for longest is removed first. A result that was unused for five
/// minutes is removed, too.
package final class ResultSets<Result: PagedResult>: Sendable {
  /// A result, and the query that it answers: a cursor is of use for no other.
  package typealias Kept = (result: Result, query: [UInt8])

  /// Names this server in cursors: other servers do not have its results.
  package let instance = UInt64.random(in: 0...(.max))
  /// The most bytes that are kept.
  package let capacity: Int
  private let results: Lock<ByteLimitedLRU<ResultKey, Kept>>

  package init(capacity: Int, idleLimit: Duration = .seconds(300)) {
    self.capacity = capacity
    results = Lock(ByteLimitedLRU(capacity: capacity, idleLimit: idleLimit))
  }

  /// The memory that they take, in bytes.
  package var bytes: Int { results.withLock { $0.bytes } }

  /// Keeps a result. One that is larger than all that may be kept is not, and its second page is gone.
  package func keep(_ result: Result, query: [UInt8], now: ContinuousClock.Instant = .now) -> ResultKey {
    let key = ResultKey.random()
    let kept = (result: result.trimmed(), query: query.trimmed())
    let bytes = kept.result.memoryBytes + kept.query.memoryBytes
    results.withLock { $0.put(kept, bytes, under: key, now) }
    return key
  }

  /// A result that is still there.
  package func find(_ key: ResultKey, now: ContinuousClock.Instant = .now) -> Kept? {
    results.withLock { $0.use(key, now) }
  }
}
