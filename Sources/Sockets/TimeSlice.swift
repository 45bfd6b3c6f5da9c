import Threading

/// How long a thread has worked without a wait.
///
/// A loop that always finds something to do is ended by the scheduler, at one of its ticks (4 ms apart at 250 Hz),
/// and the loops and clients that share its core have to wait for as long. A loop that lets them go first once a
/// millisecond costs nothing where no thread waits.
struct TimeSlice {
  /// After so long others go first.
  static let limit = Instant.Span(.milliseconds(1))
  /// Not less than so long is a wait, in which others could run.
  static let pause = Instant.Span(.microseconds(50))

  private var end: Instant

  init(at now: Instant) { end = now + TimeSlice.limit }

  /// Waited for something, or was kept from running.
  mutating func waited(from begin: Instant, until now: Instant) {
    if now >= begin + TimeSlice.pause { end = now + TimeSlice.limit }
  }

  /// Whether other threads should run first now; once for each time slice.
  mutating func isOver(at now: Instant) -> Bool {
    guard now >= end else { return false }
    end = now + TimeSlice.limit
    return true
  }
}
