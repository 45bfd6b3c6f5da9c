import APICore
import CountStore
import Counting

/// What `ResponseCache` keeps behind its lock: responses, and the computations in progress.
///
/// Its invariant: a request gets a response whose query began after all changes that the server had received by then,
/// as far as they affect the response.
struct ResponseTable {
  typealias Waiter = @Sendable (Result<SharedResponse, APIError>) -> Void

  /// A target as it was sent, for a scope: what finds a response without any parsing.
  struct Alias: Hashable {
    var target: String
    /// The `Accept` field, where it does not accept everything.
    var accept: String?
    var scope: LocationScope

    /// By the target alone: of the others there are few.
    func hash(into hasher: inout Hasher) { hasher.combine(target) }

    /// Roughly how much memory it takes, in bytes.
    var bytes: Int { 2 * target.utf8.count + (accept?.utf8.count ?? 0) + 128 }
  }

  /// A query that is being answered.
  private struct Flight {
    /// The number of the last change that the query includes; nil while it has not begun.
    var sequence: UInt64?
    var begun = ContinuousClock.now
    var waiters: [UInt64: (receive: Waiter, sequence: UInt64)]
  }

  private final class Entry {
    let key: SharedQuery.Key
    var answer: SharedResponse?
    /// The event with which `answer` was last compared.
    var checked: UInt64 = 0
    var flight: Flight?
    var wantsGzip = false
    /// In the order of use; nil while nothing is kept of it.
    var place: LRUOrder<Entry>.Place?
    var aliases: [Alias] = []
    /// Those of `answer` with `key`, and of `aliases`.
    var bytes = (answer: 0, aliases: 0)

    init(_ key: SharedQuery.Key) { self.key = key }
  }

  /// What to do for a request. Each waiter has an ID.
  enum Step {
    case have(SharedResponse)
    case wait(UInt64)
    case begin(UInt64)
  }

  /// More spellings of one query than these are parsed each time.
  static let aliasLimit = 8

  private(set) var changes = InvalidationLog()
  /// Until when silence means that nothing has changed.
  private var trustedUntil: ContinuousClock.Instant?
  private var entries: [SharedQuery.Key: Entry] = [:]
  private var aliases: [Alias: Entry] = [:]
  /// Entries of which something is kept.
  private var order = LRUOrder<Entry>()
  /// How many waiters there ever were.
  private var waiters: UInt64 = 0
  private(set) var bytes = 0
  private(set) var hits = 0
  private(set) var computations = 0
  private let capacity: Int

  init(capacity: Int) { self.capacity = capacity }

  var count: Int { entries.count }

  // MARK: News

  func isTrusted(_ now: ContinuousClock.Instant) -> Bool { trustedUntil.map { now < $0 } ?? false }

  mutating func record(_ committed: CommittedChanges, trustedUntil: ContinuousClock.Instant) {
    changes.record(committed)
    self.trustedUntil = trustedUntil
  }

  mutating func invalidateAll(trustedUntil: ContinuousClock.Instant?) {
    changes.invalidateAll()
    self.trustedUntil = trustedUntil
  }

  /// The freshness has changed, which every response contains.
  mutating func recordState() { changes.invalidateAll() }

  /// Whether a response may still be given out.
  func holds(_ answer: SharedResponse, _ now: ContinuousClock.Instant) -> Bool {
    guard let dependency = answer.dependency else { return false }
    return isTrusted(now) && now < answer.expiry && changes.leave(dependency, since: answer.sequence)
  }

  // MARK: Asking

  /// The response to a target that was asked before, if it still holds.
  mutating func find(_ alias: Alias, acceptsGzip: Bool, _ now: ContinuousClock.Instant) -> SharedResponse? {
    guard let entry = aliases[alias] else { return nil }
    return current(entry, acceptsGzip: acceptsGzip, now)
  }

  /// The response to a query if it still holds, else a waiter is added. After `.begin` the caller starts the
  /// computation: `begin`, then `land`.
  ///
  /// - Parameter alias: finds the response from now on.
  mutating func join(
    _ key: SharedQuery.Key,
    alias: Alias?,
    acceptsGzip: Bool,
    _ now: ContinuousClock.Instant,
    _ waiter: @escaping Waiter
  ) -> Step {
    let entry = entries[key] ?? Entry(key)
    if let answer = current(entry, acceptsGzip: acceptsGzip, now) {
      if let alias {
        remember(alias, of: entry)
        evict()
      }
      return .have(answer)
    }
    entries[key] = entry
    if acceptsGzip { entry.wantsGzip = true }
    waiters += 1
    let number = waiters
    guard entry.flight == nil else {
      entry.flight?.waiters[number] = (waiter, changes.sequence)
      return .wait(number)
    }
    entry.flight = Flight(waiters: [number: (waiter, changes.sequence)])
    return .begin(number)
  }

  /// Removes a waiter.
  mutating func leave(_ key: SharedQuery.Key, _ number: UInt64) {
    entries[key]?.flight?.waiters[number] = nil
  }

  private mutating func current(
    _ entry: Entry,
    acceptsGzip: Bool,
    _ now: ContinuousClock.Instant
  ) -> SharedResponse? {
    guard let answer = entry.answer, !acceptsGzip || answer.suitsGzip, now < answer.expiry, isTrusted(now)
    else { return nil }
    if entry.checked != changes.sequence {
      guard let dependency = answer.dependency, changes.leave(dependency, since: answer.sequence) else {
        return nil
      }
      entry.checked = changes.sequence
    }
    hits += 1
    if let place = entry.place { order.use(place) }
    return answer
  }

  // MARK: Answering

  /// The query begins now and includes all changes so far. Returns false when no waiter is left.
  mutating func begin(_ key: SharedQuery.Key, _ now: ContinuousClock.Instant) -> Bool {
    guard let entry = entries[key], entry.flight?.waiters.isEmpty == false else {
      abandon(key)
      return false
    }
    computations += 1
    entry.flight?.sequence = changes.sequence
    entry.flight?.begun = now
    return true
  }

  /// What the response that is being encoded must know.
  func landing(_ key: SharedQuery.Key) -> (sequence: UInt64, begun: ContinuousClock.Instant, wantsGzip: Bool)?
  {
    guard let entry = entries[key], let flight = entry.flight else { return nil }
    return (flight.sequence ?? 0, flight.begun, entry.wantsGzip)
  }

  /// The computation is done. Waiters that arrived after a change which it does not include wait for the next one.
  ///
  /// - Returns: the waiters to call, and whether to compute it again.
  mutating func land(
    _ key: SharedQuery.Key,
    _ outcome: Result<SharedResponse, APIError>,
    alias: Alias?,
    _ now: ContinuousClock.Instant
  ) -> (done: [Waiter], again: Bool) {
    guard let entry = entries[key], let flight = entry.flight else { return ([], false) }
    let included = flight.sequence ?? 0
    let answer = try? outcome.get()
    let isCurrent =
      answer?.dependency.map { changes.leave($0, since: included) } ?? (changes.sequence == included)
    let late = isCurrent ? [:] : flight.waiters.filter { $0.value.sequence > included }
    entry.flight = late.isEmpty ? nil : Flight(waiters: late)
    bytes -= entry.bytes.answer
    entry.bytes.answer = 0
    entry.answer = nil
    let cost = (answer?.bytes ?? 0) + key.memoryBytes
    if let answer, answer.dependency != nil, isCurrent, isTrusted(now), cost <= capacity / 8 {
      entry.answer = answer
      entry.checked = changes.sequence
      entry.bytes.answer = cost
      bytes += cost
      if let place = entry.place { order.use(place) } else { entry.place = order.add(entry) }
      if let alias { remember(alias, of: entry) }
      evict()
    } else if entry.flight == nil {
      forget(entry)
    }
    let done = flight.waiters.values.filter { isCurrent || $0.sequence <= included }
    return (done.map(\.receive), !late.isEmpty)
  }

  /// It cannot be computed, or need not be: all waiters are returned.
  @discardableResult
  mutating func abandon(_ key: SharedQuery.Key) -> [Waiter] {
    guard let entry = entries[key], let flight = entry.flight else { return [] }
    entry.flight = nil
    if entry.answer == nil { forget(entry) }
    return flight.waiters.values.map(\.receive)
  }

  // MARK: Memory

  private mutating func remember(_ alias: Alias, of entry: Entry) {
    guard entry.answer != nil, entry.aliases.count < Self.aliasLimit, aliases[alias] == nil else { return }
    aliases[alias] = entry
    entry.aliases.append(alias)
    entry.bytes.aliases += alias.bytes
    bytes += alias.bytes
  }

  /// Removes the response that was unused for longest. Clients that already have it are not affected.
  private mutating func evict() {
    while bytes > capacity, let oldest = order.oldest { forget(oldest) }
  }

  /// Removes a cached response. Waiters for the next one stay.
  private mutating func forget(_ entry: Entry) {
    bytes -= entry.bytes.answer + entry.bytes.aliases
    entry.bytes = (0, 0)
    entry.answer = nil
    for alias in entry.aliases { aliases[alias] = nil }
    entry.aliases = []
    if let place = entry.place { order.remove(place) }
    entry.place = nil
    if entry.flight == nil { entries[entry.key] = nil }
  }
}
