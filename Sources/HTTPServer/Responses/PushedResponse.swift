import HTTP
import Threading

/// A response that goes on for as long as its client stays. At most one message waits.
final class PushedResponse: PendingResponse {
  private struct State: Sendable {
    var whole: Response?
    var head: (response: Response, heartbeat: PushChannel.Heartbeat?)?
    var message: [UInt8]?
    var hasBegun = false
    var hasEnded = false
    /// The server stops: a whole response is still waited for, a stream ends where it would begin.
    var endsAtBegin = false
    var isClosed = false
    var isAwaited = false
    var onClose: [@Sendable () -> Void] = []

    mutating func take(_ signal: PushChannel.Signal) {
      guard !isClosed, !hasEnded else { return }
      switch signal {
      case .answer(let response):
        guard !hasBegun else { return }
        whole = response
        hasEnded = true
      case .begin(let response, let heartbeat):
        guard !hasBegun else { return }
        head = (response, heartbeat)
        hasBegun = true
        hasEnded = endsAtBegin
      case .message(let bytes): message = bytes
      case .end: hasEnded = true
      }
    }

    mutating func next() -> ResponseStep {
      if let whole {
        self.whole = nil
        return .whole(whole)
      }
      if let head {
        self.head = nil
        return .head(head.response, heartbeat: head.heartbeat)
      }
      if hasBegun, let message {
        self.message = nil
        return .piece(message)
      }
      if hasEnded { return hasBegun ? .end : .broken }
      isAwaited = true
      return .later
    }
  }

  let isEndless = true
  let isQueued = false
  let isCut = false
  private let update: ResponseUpdate
  private let state = Lock(State())

  init(update: ResponseUpdate) {
    self.update = update
  }

  /// What the handler gets; it may outlive the connection.
  var channel: PushChannel {
    PushChannel(send: { [self] in take($0) }, onClose: { [self] in whenClosed($0) })
  }

  func next(atMost limit: Int) -> ResponseStep { state.withLock { $0.next() } }

  func cancel() {
    let callbacks = state.withLock { state in
      defer { state = State(isClosed: true) }
      return state.onClose
    }
    for callback in callbacks { callback() }
  }

  func finish() {
    let hasBegun = state.withLock { state in
      state.endsAtBegin = true
      return state.hasBegun
    }
    if hasBegun { take(.end) }
  }

  private func take(_ signal: PushChannel.Signal) {
    let isAwaited = state.withLock { state in
      state.take(signal)
      defer { state.isAwaited = false }
      return state.isAwaited
    }
    if isAwaited { update.post() }
  }

  private func whenClosed(_ body: @escaping @Sendable () -> Void) {
    let isClosed = state.withLock { state in
      if !state.isClosed { state.onClose.append(body) }
      return state.isClosed
    }
    if isClosed { body() }
  }
}
