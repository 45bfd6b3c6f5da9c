/// Admits one message in each interval and counts the others, so that no client and no outage can flood a log.
///
/// A value without lock or clock.
public struct LogThrottle: Sendable {
  private let interval: Duration
  private var next = MonotonicInstant.distantPast
  private var suppressed = 0

  /// A throttle that admits the first message.
  public init(interval: Duration = .seconds(1)) { self.interval = interval }

  /// Decides on one message.
  /// - Returns: how many were suppressed since the last one that was admitted; nil for one that is to be suppressed.
  public mutating func admit(at now: MonotonicInstant) -> Int? {
    guard now >= next else {
      suppressed += 1
      return nil
    }
    defer { suppressed = 0 }
    next = now + MonotonicInstant.Span(nanoseconds: UInt64(clamping: Int64(interval / .nanoseconds(1))))
    return suppressed
  }
}
