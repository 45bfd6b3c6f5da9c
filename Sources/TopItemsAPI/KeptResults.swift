import Locks

/// Results that clients are in the middle of reading page by page: all pages are of the revision of the first one.
///
/// Bounded in bytes: the result that was unused for longest goes first. What was unused for five minutes goes, too.
final class KeptResults: Sendable {
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

  private struct Entry {
    var result: EncodedResult
    var question: String
    var lastUse: ContinuousClock.Instant
  }

  private struct Contents {
    var entries: [Key: Entry] = [:]
    var size = 0

    mutating func remove(_ key: Key) {
      if let entry = entries.removeValue(forKey: key) { size -= entry.result.size }
    }
  }

  /// Names this server in cursors: another one does not have its results.
  let instance = UInt64.random(in: 0...(.max))
  private let capacity: Int
  private let idleLimit: Duration
  private let contents = Lock(Contents())

  init(capacity: Int, idleLimit: Duration = .seconds(300)) {
    self.capacity = capacity
    self.idleLimit = idleLimit
  }

  /// Keeps a result. One that is larger than all that may be kept is not, and its second page is gone.
  func keep(_ result: EncodedResult, question: String, now: ContinuousClock.Instant = .now) -> Key {
    let key = Key.random()
    contents.withLock { contents in
      expire(&contents, now: now)
      guard result.size <= capacity else { return }
      contents.entries[key] = Entry(result: result, question: question, lastUse: now)
      contents.size += result.size
      while contents.size > capacity,
        let oldest = contents.entries.min(by: { $0.value.lastUse < $1.value.lastUse })
      {
        contents.remove(oldest.key)
      }
    }
    return key
  }

  /// The result, and the question that it answers; nil when it is not held any more.
  func find(_ key: Key, now: ContinuousClock.Instant = .now) -> (result: EncodedResult, question: String)? {
    contents.withLock { contents in
      expire(&contents, now: now)
      guard contents.entries[key] != nil else { return nil }
      contents.entries[key]?.lastUse = now
      return contents.entries[key].map { ($0.result, $0.question) }
    }
  }

  private func expire(_ contents: inout Contents, now: ContinuousClock.Instant) {
    for (key, entry) in contents.entries where now - entry.lastUse > idleLimit { contents.remove(key) }
  }
}
