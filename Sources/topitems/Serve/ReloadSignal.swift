import Glibc
import Synchronization

/// SIGHUP as a query to be asked now and then: read again what may have changed. It ends no process that listens.
enum ReloadSignal {
  private static let requested = Atomic<Bool>(false)

  /// Whether a signal has come since the last call.
  static func take() -> Bool { requested.exchange(false, ordering: .relaxed) }

  /// Begins to listen.
  static func listen() {
    // Initialised here, so that the handler itself finds nothing to initialise.
    requested.store(false, ordering: .relaxed)
    signal(SIGHUP) { _ in ReloadSignal.requested.store(true, ordering: .relaxed) }
  }
}
