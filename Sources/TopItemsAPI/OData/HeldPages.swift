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

    /// With what an array and an entry of a dictionary take at most.
    fileprivate var size: Int {
      pages.reduce(head.count + question.utf8.count + 512) { $0 + $1.count + 64 }
    }
  }

  private struct Entry {
    var result: Result
    var size: Int
    var lastUse: ContinuousClock.Instant
  }

  private struct State {
    var entries: [String: Entry] = [:]
    var size = 0

    mutating func remove(_ id: String) {
      if let entry = entries.removeValue(forKey: id) { size -= entry.size }
    }
  }

  /// The most bytes that are held.
  let capacity: Int
  private let idle: Duration
  private let now: @Sendable () -> ContinuousClock.Instant
  private let state = Lock(State())

  init(
    capacity: Int,
    idle: Duration = .seconds(300),
    now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
  ) {
    self.capacity = capacity
    self.idle = idle
    self.now = now
  }

  /// Keeps a result that is not larger than the capacity.
  /// - Returns: its name, which nobody can guess.
  func hold(_ result: Result) -> String {
    var random = SystemRandomNumberGenerator()
    let id = String(random.next(), radix: 36) + String(random.next(), radix: 36)
    let entry = Entry(result: result, size: result.size, lastUse: now())
    state.withLock { state in
      purge(&state)
      state.entries[id] = entry
      state.size += entry.size
      while state.size > capacity, state.entries.count > 1,
        let oldest = state.entries.filter({ $0.key != id }).min(by: { $0.value.lastUse < $1.value.lastUse })
      {
        state.remove(oldest.key)
      }
    }
    return id
  }

  /// A result that is still there.
  func result(_ id: String) -> Result? {
    state.withLock { state in
      purge(&state)
      state.entries[id]?.lastUse = now()
      return state.entries[id]?.result
    }
  }

  private func purge(_ state: inout State) {
    let limit = now() - idle
    for (id, entry) in state.entries where entry.lastUse < limit { state.remove(id) }
  }
}
