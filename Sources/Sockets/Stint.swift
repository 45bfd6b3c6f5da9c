import Locks

/// How long a thread has worked without a wait.
///
/// A loop that always finds something to do is ended by the scheduler, at one of its ticks (4 ms apart at 250 Hz), and the
/// loops and clients that share its core have to wait for as long. A loop that lets them go first once a millisecond
/// costs nothing where nobody waits.
struct Stint {
  /// After so long others go first.
  static let limit = Instant.Span(.milliseconds(1))
  /// Not less than so long is a wait, in which others could run.
  static let pause = Instant.Span(.microseconds(50))

  private var end: Instant

  init(at now: Instant) { end = now + Stint.limit }

  /// Waited for something, or was kept from running.
  mutating func waited(from begin: Instant, until now: Instant) {
    if now >= begin + Stint.pause { end = now + Stint.limit }
  }

  /// Whether others should go first now; once for each stint.
  mutating func isOver(at now: Instant) -> Bool {
    guard now >= end else { return false }
    end = now + Stint.limit
    return true
  }
}
