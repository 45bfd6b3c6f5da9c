/// How long to poll after `LISTEN` missed a notification, before `LISTEN` is tried again.
///
/// Each attempt invalidates all cached responses. So the time doubles with each failure in a row, up to an hour.
struct ListenBackoff {
  static let longestSpan = Duration.seconds(3600)

  /// How long it lasts at first.
  let firstSpan: Duration
  private var span = Duration.zero
  /// When to listen again; nil before it was ever noticed.
  private(set) var end: ContinuousClock.Instant?

  init(firstSpan: Duration) { self.firstSpan = firstSpan }

  func isOver(_ now: ContinuousClock.Instant) -> Bool { end.map { $0 <= now } ?? true }

  /// Records a missed notification. If the session had listened for longer than the last backoff, the first one
  /// applies again.
  mutating func record(listeningSince start: ContinuousClock.Instant, _ now: ContinuousClock.Instant) {
    span = now - start < span ? min(span * 2, Self.longestSpan) : firstSpan
    end = now + span
  }
}
