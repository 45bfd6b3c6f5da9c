import Sockets

/// What a connection has still to send, because the kernel had no room: a buffer, then a large body that is not copied.
/// Empty, and without memory of its own, in a connection that keeps up.
struct Output {
  private var buffer: [UInt8] = []
  private var bufferSent = 0
  private var body: [UInt8] = []
  private var bodySent = 0
  /// Since when there has been something left, and how much went since.
  private var since = Instant.never
  private var sent = 0

  var isEmpty: Bool { bufferSent == buffer.count && bodySent == body.count }

  /// When the patience with a slow reader ends: see `Limits.write`.
  func deadline(_ limits: Limits) -> Instant {
    since + limits.write + .milliseconds(sent * 1000 / max(1, limits.minimumWriteRate))
  }

  /// Sends `fresh` and then `freshBody`, after what is left from before, and keeps what the kernel does not take.
  mutating func send(
    _ fresh: [UInt8],
    body freshBody: [UInt8],
    on socket: borrowing Socket,
    at now: Instant
  ) throws(SystemError) {
    guard isEmpty else {
      // An answer came while older ones are still on their way.
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
    guard taken < fresh.count + freshBody.count else { return }
    buffer = Array(fresh.dropFirst(taken))
    body = freshBody
    bodySent = max(0, taken - fresh.count)
    since = now
  }

  /// Sends what it can of what is left.
  mutating func sendRest(on socket: borrowing Socket) throws(SystemError) {
    guard case .bytes(let count) = try Output.send(buffer[bufferSent...], body[bodySent...], on: socket)
    else { return }
    let ofBuffer = min(count, buffer.count - bufferSent)
    bufferSent += ofBuffer
    bodySent += count - ofBuffer
    sent += count
    if isEmpty { self = Output() }
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
