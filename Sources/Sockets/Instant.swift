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

  /// A time to wait, in a form that costs nothing to add: a `Duration` is 128 bits of attoseconds.
  public struct Span: Sendable, Hashable {
    /// `.max` stands for ever.
    public let nanoseconds: UInt64

    /// A negative duration is none.
    public init(_ duration: Duration) {
      let (seconds, attoseconds) = duration.components
      let (whole, overflow) = UInt64(max(0, seconds)).multipliedReportingOverflow(by: 1_000_000_000)
      let (sum, overflow2) = whole.addingReportingOverflow(UInt64(max(0, attoseconds) / 1_000_000_000))
      nanoseconds = overflow || overflow2 ? .max : sum
    }
  }

  /// So much later; `never` where that is beyond all numbers. A negative duration adds nothing.
  public static func + (instant: Instant, duration: Duration) -> Instant { instant + Span(duration) }

  /// So much later; `never` where that is beyond all numbers.
  public static func + (instant: Instant, span: Span) -> Instant {
    let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(span.nanoseconds)
    return overflow ? .never : Instant(nanoseconds: sum)
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
