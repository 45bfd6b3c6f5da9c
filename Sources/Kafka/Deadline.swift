/// A moment until which a blocking call may go on.
struct Deadline {
  private let instant: ContinuousClock.Instant

  /// Milliseconds below 0 count as 0.
  init(milliseconds: Int32) {
    instant = ContinuousClock.now + .milliseconds(max(0, Int64(milliseconds)))
  }

  /// Milliseconds that are left, rounded up, so that a loop on it never spins; 0 when it has passed.
  var remaining: Int32 {
    let left = instant - ContinuousClock.now
    guard left > .zero else { return 0 }
    let (seconds, attoseconds) = left.components
    return Int32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000 + 1)
  }

  var hasPassed: Bool { remaining == 0 }
}
