/// Counts what a client can send without end and at little cost: resets, control frames, CONTINUATION.
///
/// Rapid Reset (CVE-2023-44487), MadeYouReset (CVE-2025-8671), and the floods of CVE-2019-9511 to 9518 and
/// CVE-2024-27316 all come down to one of these counts.
struct FloodGuard: Sendable {
  private let continuationLimit: Int
  private var continuations = 0
  private var resets: TokenBucket
  private var controlFrames: TokenBucket

  init(_ limits: HTTP2Limits, at now: Nanoseconds) {
    continuationLimit = limits.continuations
    resets = TokenBucket(burst: limits.resetBurst, perSecond: limits.resetsPerSecond, at: now)
    controlFrames = TokenBucket(
      burst: limits.controlFrameBurst,
      perSecond: limits.controlFramesPerSecond,
      at: now
    )
  }

  /// A frame begins.
  mutating func record(_ frame: FrameScanner.Header, at now: Nanoseconds) -> HTTP2Session.Failure? {
    switch frame.type {
    case FrameScanner.Header.headers:
      continuations = 0
      recordProgress()
      return nil
    case FrameScanner.Header.continuation:
      continuations += 1
      guard continuations > continuationLimit else { return nil }
      return .init(code: .enhanceYourCalm, detail: "a header section has too many frames")
    case FrameScanner.Header.reset: return recordReset(at: now)
    case FrameScanner.Header.data where !frame.isNearlyEmpty: return nil
    default:
      guard !controlFrames.take(at: now) else { return nil }
      return .init(code: .enhanceYourCalm, detail: "too many frames that carry nothing")
    }
  }

  /// A stream was reset, by either side: a client can also make us do it.
  mutating func recordReset(at now: Nanoseconds) -> HTTP2Session.Failure? {
    resets.take(at: now) ? nil : .init(code: .enhanceYourCalm, detail: "too many streams are reset")
  }

  /// A request, or content that was sent: each is reason enough for a few frames, such as WINDOW_UPDATE.
  mutating func recordProgress() { controlFrames.earn(4) }
}
