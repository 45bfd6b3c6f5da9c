/// Results that clients read page by page, by random keys.
///
/// Bounded in bytes: the result that was unused for longest is removed first. A result that was unused for
/// `idleLimit` is removed, too. Each use takes the same short time, however many results there are.
package struct ByteLimitedLRU<Key: Hashable, Result> {
  private struct Entry {
    let result: Result
    let bytes: Int
    let place: LRUOrder<Key>.Place
    var lastUse: ContinuousClock.Instant
  }

  /// What an entry takes at most besides its result, in bytes: dictionary and order, which grow by doubling.
  package static var entryBytes: Int { 512 }

  /// The most bytes that are held.
  package let capacity: Int
  private let idleLimit: Duration
  private var entries: [Key: Entry] = [:]
  private var order = LRUOrder<Key>()
  /// The bytes that are held.
  package private(set) var bytes = 0

  package init(capacity: Int, idleLimit: Duration) {
    self.capacity = capacity
    self.idleLimit = idleLimit
  }

  /// Holds a result under a new name. One that takes more than the capacity is not held.
  ///
  /// - Parameter bytes: how much memory the result takes, besides `entryBytes`.
  package mutating func put(_ result: Result, _ bytes: Int, under key: Key, _ now: ContinuousClock.Instant) {
    expire(now)
    let bytes = bytes + Self.entryBytes
    guard bytes <= capacity else { return }
    entries[key] = Entry(result: result, bytes: bytes, place: order.add(key), lastUse: now)
    self.bytes += bytes
    while self.bytes > capacity, let oldest = order.oldest { remove(oldest) }
  }

  /// A result that is still there.
  package mutating func use(_ key: Key, _ now: ContinuousClock.Instant) -> Result? {
    expire(now)
    guard let entry = entries[key] else { return nil }
    order.use(entry.place)
    entries[key]?.lastUse = now
    return entry.result
  }

  private mutating func expire(_ now: ContinuousClock.Instant) {
    while let oldest = order.oldest, let entry = entries[oldest], now - entry.lastUse > idleLimit {
      remove(oldest)
    }
  }

  private mutating func remove(_ key: Key) {
    guard let entry = entries.removeValue(forKey: key) else { return }
    order.remove(entry.place)
    bytes -= entry.bytes
  }
}
