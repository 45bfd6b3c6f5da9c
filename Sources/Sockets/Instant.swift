import Glibc

/// A point on the clock that never jumps (CLOCK_MONOTONIC), in nanoseconds.
public struct Instant: Comparable, Hashable, Sendable {
  /// Since some point before the process started.
  public let nanoseconds: UInt64

  /// Later than every other instant.
  public static let never = Instant(nanoseconds: .max)

  /// An instant from its number.
  public init(nanoseconds: UInt64) {
    self.nanoseconds = nanoseconds
  }

  /// This very moment.
  public static func now() -> Instant {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Instant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
  }

  /// So much later; `never` where that is beyond all numbers. A negative duration adds nothing.
  public static func + (instant: Instant, duration: Duration) -> Instant {
    let (seconds, attoseconds) = duration.components
    guard seconds >= 0, attoseconds >= 0 else { return instant }
    let (whole, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
    let (span, overflow2) = whole.addingReportingOverflow(UInt64(attoseconds / 1_000_000_000))
    let (sum, overflow3) = instant.nanoseconds.addingReportingOverflow(span)
    return overflow || overflow2 || overflow3 ? .never : Instant(nanoseconds: sum)
  }

  /// Earlier before later.
  public static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

  /// The milliseconds to wait from here until `other`, rounded up so that nothing wakes too early, at most `limit`.
  func milliseconds(until other: Instant, limit: Int32) -> Int32 {
    guard other > self else { return 0 }
    let milliseconds = (other.nanoseconds - nanoseconds - 1) / 1_000_000 + 1
    return milliseconds < UInt64(limit) ? Int32(milliseconds) : limit
  }
}

/// Seconds since 1970-01-01T00:00:00Z, by the wall clock's last tick (CLOCK_REALTIME_COARSE, about 4 ms).
public func currentSecond() -> Int64 {
  var time = timespec()
  clock_gettime(CLOCK_REALTIME_COARSE, &time)
  return Int64(time.tv_sec)
}
