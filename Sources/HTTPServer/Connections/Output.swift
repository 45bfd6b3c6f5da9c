import Threading
import Sockets

/// What a connection has still to send, because the kernel had no room: a buffer, then a large body that is not copied.
/// Empty, and without memory of its own, in a connection that keeps up.
struct Output {
  private var buffer: [UInt8] = []
  private var bufferSent = 0
  private var body: [UInt8] = []
  private var bodySent = 0
  private var budget: WriteBudget

  init(_ spans: Spans) {
    budget = WriteBudget(spans)
  }

  var isEmpty: Bool { bufferSent == buffer.count && bodySent == body.count }

  /// When a slow reader's write budget ends.
  var deadline: Instant { budget.end }

  /// What comes now is another response. One in pieces has one budget for all of them, so that reading a little now
  /// and then does not hold its worker for ever. What is still on its way goes on with its own.
  mutating func beginWriteBudget(_ spans: Spans) {
    if isEmpty { budget = WriteBudget(spans) }
  }

  /// Sends `fresh` and then `freshBody`, after what is left from before, and keeps what the kernel does not take.
  mutating func send(
    _ fresh: [UInt8],
    body freshBody: [UInt8],
    on socket: borrowing Socket,
    at now: Instant,
    _ spans: Spans
  ) throws(SystemError) {
    guard isEmpty else {
      // More came while there is something on its way.
      buffer = buffer[bufferSent...] + body[bodySent...] + fresh
      bufferSent = 0
      body = freshBody
      bodySent = 0
      return
    }
    let taken: Int
    switch try Output.send(fresh[...], freshBody[...], on: socket) {
    case .bytes(let count): taken = count
    case .wouldBlock: taken = 0
    }
    guard taken < fresh.count + freshBody.count else { return budget.add(taken, spans) }
    buffer = Array(fresh.dropFirst(taken))
    bufferSent = 0
    body = freshBody
    bodySent = max(0, taken - fresh.count)
    budget.begin(at: now)
    budget.add(taken, spans)
  }

  /// Sends what it can of what is left.
  mutating func sendRest(
    on socket: borrowing Socket,
    at now: Instant,
    _ spans: Spans
  ) throws(SystemError) {
    guard case .bytes(let count) = try Output.send(buffer[bufferSent...], body[bodySent...], on: socket)
    else { return }
    let ofBuffer = min(count, buffer.count - bufferSent)
    bufferSent += ofBuffer
    bodySent += count - ofBuffer
    budget.spend(until: now)
    budget.add(count, spans)
    if isEmpty { (buffer, bufferSent, body, bodySent) = ([], 0, [], 0) }
  }

  private static func send(
    _ first: ArraySlice<UInt8>,
    _ second: ArraySlice<UInt8>,
    on socket: borrowing Socket
  ) throws(SystemError) -> Socket.Sent {
    if first.isEmpty, !second.isEmpty { return try send(second, first, on: socket) }
    return try socket.send(first.span.bytes, second.span.bytes)
  }
}

/// How long a client may still take to read: time goes while something waits for it, and comes with each byte that it
/// takes, up to `Limits.write`.
struct WriteBudget {
  private var left: UInt64
  /// Nil while nothing has waited yet.
  private var since: Instant?

  init(_ spans: Spans) {
    left = spans.write.nanoseconds
  }

  var end: Instant {
    (since ?? .distantPast) + Instant.Span(nanoseconds: left)
  }

  /// From now on something waits.
  mutating func begin(at now: Instant) { since = now }

  mutating func spend(until now: Instant) {
    if let since { left -= min(left, now.elapsed(since: since).nanoseconds) }
    since = now
  }

  mutating func add(_ bytes: Int, _ spans: Spans) {
    let most = spans.write.nanoseconds
    guard left < most else { return }
    let (earned, overflow) = bytes.multipliedReportingOverflow(by: 1_000_000_000)
    let time = overflow ? UInt64.max : UInt64(earned / spans.minimumWriteRate)
    left = time < most - left ? left + time : most
  }
}
