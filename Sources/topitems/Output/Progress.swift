import Counting
import Glibc
import Threading

/// How far the simulation has come, on standard error: in place on a terminal, else a line every few seconds.
struct Progress {
  private static let onTerminal = isatty(STDERR_FILENO) == 1
  private static let interval: Duration = onTerminal ? .seconds(1) : .seconds(5)
  private static let nextNote = Lock<ContinuousClock.Instant?>(nil)
  private let start = ContinuousClock.now
  private var shownAt = ContinuousClock.now
  private var shown = 0

  /// Prints a line of its own.
  static func report(_ text: String) {
    write("\(onTerminal ? "\r\u{1B}[K" : "")simulate: \(text)\n")
  }

  /// Prints a line of its own unless there was one of this kind in the last few seconds: for what may repeat many
  /// times a second. May be called by any thread.
  static func reportNowAndThen(_ text: String) {
    let isDue = nextNote.withLock { next in
      guard next.map({ $0 <= .now }) ?? true else { return false }
      next = .now + .seconds(5)
      return true
    }
    if isDue { report(text) }
  }

  /// Shows the totals, if it is time to.
  mutating func show(_ fates: FateCounts) {
    let now = ContinuousClock.now
    let passed = shownAt.duration(to: now)
    guard passed >= Self.interval else { return }
    let line = Self.line(fates, rate: Double(fates.total - shown) / (passed / .seconds(1)))
    Self.write(Self.onTerminal ? "\r\u{1B}[K\(line)" : "\(line)\n")
    shownAt = now
    shown = fates.total
  }

  /// Shows the final totals, with the mean rate.
  func end(_ fates: FateCounts) {
    let passed = max(start.duration(to: .now) / .seconds(1), 0.001)
    Self.write(
      (Self.onTerminal ? "\r\u{1B}[K" : "") + Self.line(fates, rate: Double(fates.total) / passed) + "\n"
    )
  }

  private static func line(_ fates: FateCounts, rate: Double) -> String {
    "simulate: \(fates.total) messages (\(Int(rate))/s): \(fates.counted) counted, \(fates.duplicate) duplicates, "
      + "\(fates.late) late, \(fates.future) future, \(fates.deadLetter) malformed, \(fates.tombstone) tombstones"
  }

  /// One call a line, so that lines of several threads do not mix. A failure cannot be reported.
  private static func write(_ text: String) {
    _ = Array(text.utf8).withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}
