/// That one who listened was told nothing, though there was something to tell: for a while it is of no use to listen.
///
/// Each attempt makes those who keep answers forget them. So it comes after twice as long each time, up to an hour.
struct Deafness {
  static let longestSpan = Duration.seconds(3600)

  /// How long it lasts at first.
  let firstSpan: Duration
  private var span = Duration.zero
  /// When to listen again; nil before it was ever noticed.
  private(set) var end: ContinuousClock.Instant?

  init(firstSpan: Duration) { self.firstSpan = firstSpan }

  func isOver(_ now: ContinuousClock.Instant) -> Bool { end.map { $0 <= now } ?? true }

  /// It was noticed. One that had listened for longer than it was deaf before is deaf for the first time again.
  mutating func note(listeningSince start: ContinuousClock.Instant, _ now: ContinuousClock.Instant) {
    span = now - start < span ? min(span * 2, Self.longestSpan) : firstSpan
    end = now + span
  }
}
