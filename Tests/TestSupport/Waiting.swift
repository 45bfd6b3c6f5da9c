import Foundation

/// Waits until the condition holds, asking again every few milliseconds.
///
/// - Throws: ``TestSupportError`` naming what did not come about in time, or the condition's error.
public func waitUntil(
  _ what: String,
  within limit: Duration = .seconds(10),
  _ condition: () throws -> Bool
) throws {
  let deadline = ContinuousClock.now + limit
  while try !condition() {
    guard ContinuousClock.now < deadline else { throw TestSupportError("not within \(limit): \(what)") }
    Thread.sleep(forTimeInterval: 0.005)
  }
}

/// Work on a thread of its own: blocking calls would hold up the few threads that tests share.
public final class Background<Value: Sendable>: @unchecked Sendable {
  // Unchecked is safe: `result` is written once before the group is left, and read after waiting for it.
  private var result: Result<Value, any Error>?
  private let group = DispatchGroup()

  /// Starts the work.
  public init(_ body: @escaping @Sendable () throws -> Value) {
    group.enter()
    Thread.detachNewThread { [self] in
      result = Result(catching: body)
      group.leave()
    }
  }

  /// Whether the work has ended.
  public var isDone: Bool { group.wait(timeout: .now()) == .success }

  /// Waits for the end; the result or the error of the work.
  public func value(within seconds: Double = 30) throws -> Value {
    guard group.wait(timeout: .now() + seconds) == .success, let result else {
      throw TestSupportError("the background work did not end within \(seconds) s")
    }
    return try result.get()
  }
}
