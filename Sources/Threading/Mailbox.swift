/// Hands one value at a time from one thread to another.
public final class Mailbox<Value: Sendable>: Sendable {
  private struct State: Sendable {
    var value: Value?
    var isClosed = false
  }

  private let state = Monitor(State())

  /// An empty mailbox.
  public init() {}

  /// Leaves a value; the mailbox must be empty.
  public func put(_ value: Value) {
    state.changeForAll { state in
      precondition(state.value == nil, "a mailbox holds one value at a time")
      state.value = value
    }
  }

  /// Takes the value, waiting for one.
  /// - Parameter milliseconds: how long to wait; nil waits until there is a value or the mailbox is closed.
  /// - Returns: nil when the time is up or the mailbox is closed.
  public func take(waiting milliseconds: Int64?) -> Value? {
    let taken = wait(milliseconds) { state -> Value?? in
      guard state.value != nil || state.isClosed else { return nil }
      defer { state.value = nil }
      return .some(state.value)
    }
    return taken ?? nil
  }

  /// Waits until the mailbox is closed or the time is up: a sleep that a stop can end.
  public func sleep(milliseconds: Int64) {
    _ = wait(milliseconds) { $0.isClosed ? () : nil }
  }

  /// Ends all waits, now and later.
  public func close() { state.changeForAll { $0.isClosed = true } }

  /// Whether it is closed.
  public var hasClosed: Bool { state.withLock { $0.isClosed } }

  private func wait<Result>(_ milliseconds: Int64?, for body: (inout State) -> Result?) -> Result? {
    guard let milliseconds else { return state.wait(for: body) }
    return state.wait(until: .now + .milliseconds(milliseconds), for: body)
  }
}
