import Glibc
import Synchronization

/// SIGINT and SIGTERM as a flag that a command polls: the first one asks the command to stop in good
/// order, a second one of either ends the process at once.
enum StopSignal {
  private static let requested = Atomic<Bool>(false)

  /// Whether a signal has asked to stop.
  static var isRequested: Bool { requested.load(ordering: .relaxed) }

  /// Begins to listen.
  static func listen() {
    // Initialised here, so that the handler itself finds nothing to initialise.
    requested.store(false, ordering: .relaxed)
    for number in [SIGINT, SIGTERM] {
      signal(number) { _ in
        // Both calls are async-signal-safe (POSIX.1-2017, System Interfaces 2.4.3).
        signal(SIGINT, SIG_DFL)
        signal(SIGTERM, SIG_DFL)
        StopSignal.requested.store(true, ordering: .relaxed)
      }
    }
  }
}
