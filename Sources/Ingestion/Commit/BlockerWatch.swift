import Threading
import CountStore
import Glibc
import Postgres

/// While a claim waits, ends the sessions of workers that hold its locks and do not go on.
///
/// Begun when a claim is tried again, whatever made it fail: it may have met `lock_timeout`, or have lost its session
/// before, time and again. Whether a session is long enough in its transaction is `endWorkers`' to judge.
/// `pg_blocking_pids` works only while the claim waits, so it is called on a second connection, from a thread of its
/// own.
final class BlockerWatch: Sendable {
  /// Often enough to catch the claim waiting before it meets `lock_timeout` again.
  private static let interval: Int64 = 200

  private let database: ConnectionOptions
  private let waiting: Int32
  private let observe: @Sendable (IngestionObservation) -> Void
  /// Never filled, only closed.
  private let stopped = Mailbox<Bool>()

  /// Begins; `stop` must be called.
  /// - Parameter backendPid: the session that claims.
  init(
    _ database: ConnectionOptions,
    blocking backendPid: Int32,
    observe: @escaping @Sendable (IngestionObservation) -> Void
  ) {
    self.database = database
    waiting = backendPid
    self.observe = observe
    // Without a thread, the claim is tried again, and then with a new watch.
    try? startThread(name: "blocker-watch") { [self] in work() }
  }

  /// Asks the thread to end, without waiting for it. What it may be sending still ends a worker's session only if that
  /// one blocks this worker's: it would be rolled back and tried again, as after any lost connection.
  func stop() { stopped.close() }

  private func work() {
    // Most claims wait for no lock, and are granted by then.
    stopped.sleep(milliseconds: Self.interval)
    if stopped.hasClosed { return }
    do {
      let connection = try Connection(database)
      defer { connection.close() }
      let store = CountStore(connection)
      while !stopped.hasClosed {
        let ended = try store.endWorkers(blocking: waiting)
        if !ended.isEmpty { observe(.endedBlockers(ended)) }
        stopped.sleep(milliseconds: Self.interval)
      }
    } catch {
      // The claim meets its lock again, and a new watch begins.
      if !stopped.hasClosed { observe(.retrying(error, afterMilliseconds: 0)) }
    }
  }
}
