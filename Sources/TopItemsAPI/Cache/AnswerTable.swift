import CountStore

/// What `AnswerCache` keeps behind its lock: answers, and the questions that are being answered.
///
/// The one law: who asks gets an answer whose query began after all news that the server had heard by then, as far as
/// they touch the answer.
struct AnswerTable {
  typealias Waiter = @Sendable (Result<SharedAnswer, APIError>) -> Void

  /// A target as it was sent, for a scope: what finds an answer without any parsing.
  struct Alias: Hashable {
    var target: String
    var scope: String

    /// By the target alone: scopes are few.
    func hash(into hasher: inout Hasher) { hasher.combine(target) }
  }

  /// A question that is being answered.
  private struct Flight {
    /// The news that the query knows of; nil while it has not begun.
    var heard: UInt64?
    var begun = ContinuousClock.now
    var waiters: [UInt64: (tell: Waiter, heard: UInt64)]
  }

  private final class Entry {
    let key: Question.Key
    var answer: SharedAnswer?
    /// The news with which `answer` was last compared.
    var checked: UInt64 = 0
    var flight: Flight?
    var wantsGzip = false
    /// In the order of use; nil while nothing is kept of it.
    var place: UseOrder<Entry>.Place?
    var aliases: [Alias] = []
    /// Those of `answer` with `key`, and of `aliases`.
    var bytes = (answer: 0, aliases: 0)

    init(_ key: Question.Key) { self.key = key }
  }

  /// What is to be done for one who asks. Who waits has a number.
  enum Step {
    case have(SharedAnswer)
    case wait(UInt64)
    case begin(UInt64)
  }

  /// More spellings of one question than these are parsed each time.
  static let aliasLimit = 8

  private(set) var changes = HeardChanges()
  /// Until when silence means that nothing has changed.
  private var trustedUntil: ContinuousClock.Instant?
  private var entries: [Question.Key: Entry] = [:]
  private var aliases: [Alias: Entry] = [:]
  /// Entries of which something is kept.
  private var order = UseOrder<Entry>()
  /// Those who have ever waited.
  private var waiters: UInt64 = 0
  private(set) var bytes = 0
  private(set) var hits = 0
  private(set) var computations = 0
  private let capacity: Int

  init(capacity: Int) { self.capacity = capacity }

  var count: Int { entries.count }

  // MARK: News

  func isTrusted(_ now: ContinuousClock.Instant) -> Bool { trustedUntil.map { now < $0 } ?? false }

  mutating func note(_ heard: HeardRevisions, trustedUntil: ContinuousClock.Instant) {
    changes.note(heard)
    self.trustedUntil = trustedUntil
  }

  mutating func noteAnything(trustedUntil: ContinuousClock.Instant?) {
    changes.noteAnything()
    self.trustedUntil = trustedUntil
  }

  /// The state of the workers has changed, which every answer tells.
  mutating func noteState() { changes.noteAnything() }

  /// Whether an answer may still be given out.
  func holds(_ answer: SharedAnswer, _ now: ContinuousClock.Instant) -> Bool {
    guard let basis = answer.basis else { return false }
    return isTrusted(now) && now < answer.expiry && changes.leave(basis, since: answer.heard)
  }

  // MARK: Asking

  /// The answer to a target that was asked before, if it still holds.
  mutating func find(_ alias: Alias, acceptsGzip: Bool, _ now: ContinuousClock.Instant) -> SharedAnswer? {
    guard let entry = aliases[alias] else { return nil }
    return current(entry, acceptsGzip: acceptsGzip, now)
  }

  mutating func find(
    _ key: Question.Key,
    alias: Alias?,
    acceptsGzip: Bool,
    _ now: ContinuousClock.Instant
  ) -> SharedAnswer? {
    guard let entry = entries[key], let answer = current(entry, acceptsGzip: acceptsGzip, now) else {
      return nil
    }
    if let alias {
      remember(alias, of: entry)
      evict()
    }
    return answer
  }

  /// Joins those who wait for an answer. After `.begin` the caller has it computed: `begin`, then `land`.
  mutating func join(
    _ key: Question.Key,
    acceptsGzip: Bool,
    _ now: ContinuousClock.Instant,
    _ waiter: @escaping Waiter
  ) -> Step {
    let entry = entries[key] ?? Entry(key)
    if let answer = current(entry, acceptsGzip: acceptsGzip, now) { return .have(answer) }
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

  /// One who waits does not any more.
  mutating func leave(_ key: Question.Key, _ number: UInt64) {
    entries[key]?.flight?.waiters[number] = nil
  }

  private mutating func current(
    _ entry: Entry,
    acceptsGzip: Bool,
    _ now: ContinuousClock.Instant
  ) -> SharedAnswer? {
    guard let answer = entry.answer, !acceptsGzip || answer.suitsGzip, now < answer.expiry, isTrusted(now)
    else { return nil }
    if entry.checked != changes.sequence {
      guard let basis = answer.basis, changes.leave(basis, since: answer.heard) else { return nil }
      entry.checked = changes.sequence
    }
    hits += 1
    if let place = entry.place { order.use(place) }
    return answer
  }

  // MARK: Answering

  /// The query begins now: what was heard so far will be in its answer. False: nobody waits for it any more.
  mutating func begin(_ key: Question.Key, _ now: ContinuousClock.Instant) -> Bool {
    guard let entry = entries[key], entry.flight?.waiters.isEmpty == false else {
      abandon(key)
      return false
    }
    computations += 1
    entry.flight?.heard = changes.sequence
    entry.flight?.begun = now
    return true
  }

  /// What the answer that is being encoded must know.
  func landing(_ key: Question.Key) -> (heard: UInt64, begun: ContinuousClock.Instant, wantsGzip: Bool)? {
    guard let entry = entries[key], let flight = entry.flight else { return nil }
    return (flight.heard ?? 0, flight.begun, entry.wantsGzip)
  }

  /// The answer has come. Those who asked after news that it does not know wait for another one.
  ///
  /// - Returns: whom to tell, and whether to have it computed again.
  mutating func land(
    _ key: Question.Key,
    _ outcome: Result<SharedAnswer, APIError>,
    alias: Alias?,
    _ now: ContinuousClock.Instant
  ) -> (told: [Waiter], again: Bool) {
    guard let entry = entries[key], let flight = entry.flight else { return ([], false) }
    let heard = flight.heard ?? 0
    let answer = try? outcome.get()
    let isCurrent = answer?.basis.map { changes.leave($0, since: heard) } ?? (changes.sequence == heard)
    let late = isCurrent ? [:] : flight.waiters.filter { $0.value.heard > heard }
    entry.flight = late.isEmpty ? nil : Flight(waiters: late)
    bytes -= entry.bytes.answer
    entry.bytes.answer = 0
    entry.answer = nil
    let cost = (answer?.bytes ?? 0) + key.heldBytes
    if let answer, answer.basis != nil, isCurrent, isTrusted(now), cost <= capacity / 8 {
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
    let told = flight.waiters.values.filter { isCurrent || $0.heard <= heard }
    return (told.map(\.tell), !late.isEmpty)
  }

  /// Nobody can compute it, or need not: all who wait are told so.
  @discardableResult
  mutating func abandon(_ key: Question.Key) -> [Waiter] {
    guard let entry = entries[key], let flight = entry.flight else { return [] }
    entry.flight = nil
    if entry.answer == nil { forget(entry) }
    return flight.waiters.values.map(\.tell)
  }

  // MARK: Memory

  private mutating func remember(_ alias: Alias, of entry: Entry) {
    guard entry.answer != nil, entry.aliases.count < Self.aliasLimit, aliases[alias] == nil else { return }
    aliases[alias] = entry
    entry.aliases.append(alias)
    let cost = 2 * alias.target.utf8.count + alias.scope.utf8.count + 128
    entry.bytes.aliases += cost
    bytes += cost
  }

  /// Drops what was not used for longest. Who holds an answer already has it; that is never waited for.
  private mutating func evict() {
    while bytes > capacity, let oldest = order.oldest { forget(oldest) }
  }

  /// Drops what is kept of it. Who waits for its next answer gets that.
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
