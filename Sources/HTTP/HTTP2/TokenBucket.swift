/// Allows a burst of something, and then so much of it a second.
struct TokenBucket: Sendable {
  private let burst: Int
  private let perSecond: Int
  /// In thousandths, so that a slow rate is not lost between calls.
  private var thousandths: Int
  private var filled: Nanoseconds

  init(burst: Int, perSecond: Int, at now: Nanoseconds) {
    self.burst = max(0, min(burst, 1_000_000_000)) * 1000
    self.perSecond = max(0, min(perSecond, 1_000_000))
    thousandths = self.burst
    filled = now
  }

  /// Takes one; false if there is none.
  mutating func take(at now: Nanoseconds) -> Bool {
    fill(at: now)
    guard thousandths >= 1000 else { return false }
    thousandths -= 1000
    return true
  }

  /// Gives some more, up to the burst.
  mutating func earn(_ count: Int) {
    thousandths = min(burst, thousandths + count * 1000)
  }

  private mutating func fill(at now: Nanoseconds) {
    // Whole milliseconds; the rest is left for the next time.
    let milliseconds = min((now - min(filled, now)) / 1_000_000, 3_600_000)
    guard milliseconds > 0 else { return }
    filled = now
    thousandths = min(burst, thousandths + Int(milliseconds) * perSecond)
  }
}
