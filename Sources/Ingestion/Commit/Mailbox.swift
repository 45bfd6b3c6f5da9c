import Locks

/// One place for one value, from one thread to another.
final class Mailbox<Value: Sendable>: Sendable {
  private struct State: Sendable {
    var value: Value?
    var isClosed = false
  }

  private let state = Monitor(State())

  /// Leaves a value; the place must be empty.
  func put(_ value: Value) {
    state.changeForAll { state in
      precondition(state.value == nil, "a mailbox holds one value at a time")
      state.value = value
    }
  }

  /// Takes the value, waiting for one.
  /// - Parameter milliseconds: how long to wait; nil waits until there is a value or the mailbox is closed.
  /// - Returns: nil when the time is up or the mailbox is closed.
  func take(waiting milliseconds: Int64?) -> Value? {
    let taken = wait(milliseconds) { state -> Value?? in
      guard state.value != nil || state.isClosed else { return nil }
      defer { state.value = nil }
      return .some(state.value)
    }
    return taken ?? nil
  }

  /// Waits until the mailbox is closed or the time is up: a sleep that a stop can end.
  func sleep(milliseconds: Int64) {
    _ = wait(milliseconds) { $0.isClosed ? () : nil }
  }

  /// Lets no one wait any longer.
  func close() { state.changeForAll { $0.isClosed = true } }

  var hasClosed: Bool { state.withLock { $0.isClosed } }

  private func wait<Result>(_ milliseconds: Int64?, for body: (inout State) -> Result?) -> Result? {
    guard let milliseconds else { return state.wait(for: body) }
    return state.wait(until: .now + .milliseconds(milliseconds), for: body)
  }
}
