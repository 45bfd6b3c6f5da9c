import Foundation

/// How long a test goes on waiting: as long as something changes, and no longer than a limit when nothing does.
///
/// The machine's load decides how fast things go, not whether they go. So the limit starts again with each change of
/// what is seen, and time counts only as far as this thread gets to look: a wait that itself is kept from running has
/// not waited. Six times the limit, by the clock, is the end of it whatever happens.
public struct ProgressDeadline {
  /// How much one look may count of the limit.
  private static let longestLook = Duration.milliseconds(250)
  private let limit: Duration
  private let start = ContinuousClock.now
  private var lastLook = ContinuousClock.now
  private var waited = Duration.zero
  private var looks = 0
  private var pauseMilliseconds = 2.0
  /// What was seen last.
  public private(set) var seen = ""

  /// Begins to wait.
  public init(_ limit: Duration) { self.limit = limit }

  /// Takes note of what is seen now; the limit starts again when that is something else than before.
  public mutating func look(_ now: String = "") {
    let time = ContinuousClock.now
    waited += min(time - lastLook, Self.longestLook)
    lastLook = time
    looks += 1
    guard now != seen else { return }
    seen = now
    waited = .zero
    pauseMilliseconds = 2
  }

  /// Whether nothing has changed for the limit, or all has taken six times as long.
  public var isOver: Bool { waited >= limit || ContinuousClock.now - start >= limit * 6 }

  /// Sleeps until the next look: 2 ms at first, 50 ms at last, as looking costs what is waited for its processor.
  public mutating func pause() {
    Thread.sleep(forTimeInterval: pauseMilliseconds / 1000)
    pauseMilliseconds = min(50, pauseMilliseconds * 1.25)
  }

  /// Why the wait has ended: what was seen last, and what the machine was busy with.
  public var verdict: String {
    let all = (ContinuousClock.now - start) / .seconds(1)
    let last = seen.isEmpty ? "" : "; seen last: \(seen)"
    return "nothing changed for \(limit) (\(Int(all)) s in all, \(looks) looks)\(last)\n\(MachineState.now())"
  }
}

/// Waits until the condition holds, asking again every few milliseconds.
///
/// - Parameters:
///   - limit: how long nothing may change (see ``ProgressDeadline``).
///   - seen: how far things have got, e.g. how much is counted. What stands still is what a wait ends for.
/// - Throws: ``TestSupportError`` that names what did not happen, what was seen last and the machine's state; or the
///   condition's error.
public func waitUntil(
  _ what: String,
  within limit: Duration = .seconds(10),
  seen: () throws -> String = { "" },
  _ condition: () throws -> Bool
) throws {
  var deadline = ProgressDeadline(limit)
  while try !condition() {
    deadline.look(try seen())
    guard !deadline.isOver else { throw TestSupportError("not happened: \(what); \(deadline.verdict)") }
    deadline.pause()
  }
}

/// Whether the condition holds within a time by the clock: for what may as well not happen.
public func holds(within limit: Duration, _ condition: () throws -> Bool) rethrows -> Bool {
  let deadline = ContinuousClock.now + limit
  while try !condition() {
    guard ContinuousClock.now < deadline else { return false }
    Thread.sleep(forTimeInterval: 0.005)
  }
  return true
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
  ///
  /// - Parameters:
  ///   - seconds: how long nothing may change of what is `seen` (see ``ProgressDeadline``).
  public func value(within seconds: Double = 30, seen: () -> String = { "" }) throws -> Value {
    var deadline = ProgressDeadline(.seconds(seconds))
    while group.wait(timeout: .now() + 0.05) != .success {
      deadline.look(seen())
      guard !deadline.isOver else {
        throw TestSupportError("the background work did not end; \(deadline.verdict)")
      }
    }
    guard let result else { throw TestSupportError("the background work has no result") }
    return try result.get()
  }
}
