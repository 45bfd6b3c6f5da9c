/// What a connection pool may do next: a value without I/O, locks or clocks; its owner passes the time.
struct PoolState {
  /// The response to a request for a connection.
  enum Decision: Equatable {
    /// Take a connection that lies ready.
    case reuse
    /// Open a new one, and report how it went.
    case open
    /// Ask again when something changed.
    case wait
    /// Give up at once.
    case refuse(Refusal)
  }

  /// Why nothing can be had.
  enum Refusal: Equatable {
    case closed
    case queueFull
    /// The last attempt to connect failed a moment ago.
    case backingOff
  }

  private static var firstPause: Duration { .milliseconds(100) }
  private static var longestPause: Duration { .seconds(2) }

  private let size: Int
  private let queueBound: Int
  /// Connections that are in use or being opened.
  private(set) var taken = 0
  /// Connections that lie ready.
  private(set) var ready = 0
  private var nextTicket: UInt64 = 0
  private var queue: [UInt64] = []
  private var failures = 0
  private var retryAt: ContinuousClock.Instant?
  private var isProbing = false
  private(set) var isClosed = false

  init(size: Int, queueBound: Int) {
    self.size = max(1, size)
    self.queueBound = max(0, queueBound)
  }

  var waiting: Int { queue.count }

  /// Decides for a caller that does not wait yet (no ticket) or does.
  func decide(ticket: UInt64?, now: ContinuousClock.Instant) -> Decision {
    if isClosed { return .refuse(.closed) }
    let isNext = ticket == nil ? queue.isEmpty : queue.first == ticket
    if isNext, ready > 0 { return .reuse }
    if taken + ready < size, let retryAt {
      // The server was away a moment ago: one caller tries when the pause is over, all others fail fast.
      return now >= retryAt && !isProbing ? .open : .refuse(.backingOff)
    }
    if isNext, taken + ready < size { return .open }
    if ticket == nil, queue.count >= queueBound { return .refuse(.queueFull) }
    return .wait
  }

  mutating func startWaiting() -> UInt64 {
    nextTicket += 1
    queue.append(nextTicket)
    return nextTicket
  }

  mutating func stopWaiting(_ ticket: UInt64?) {
    queue.removeAll { $0 == ticket }
  }

  mutating func reused() {
    ready -= 1
    taken += 1
  }

  mutating func opening() {
    taken += 1
    if retryAt != nil { isProbing = true }
  }

  mutating func opened() {
    failures = 0
    retryAt = nil
    isProbing = false
  }

  /// - Parameter jitter: 0 to 1; spreads the attempts of many processes.
  mutating func failedToOpen(now: ContinuousClock.Instant, jitter: Double) {
    taken -= 1
    isProbing = false
    let pause = min(Self.firstPause * (1 << min(failures, 10)), Self.longestPause)
    failures += 1
    retryAt = now + pause * (0.5 + jitter / 2)
  }

  /// A connection comes back, fit for the next caller or not.
  mutating func returned(isFit: Bool) {
    taken -= 1
    if isFit, !isClosed { ready += 1 }
  }

  /// No more connections are handed out.
  mutating func close() {
    isClosed = true
    ready = 0
  }
}
