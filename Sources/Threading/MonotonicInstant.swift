import Glibc

/// A point on the clock that never jumps (CLOCK_MONOTONIC), in nanoseconds.
///
/// On Linux it counts from boot: a machine that booted a second ago reads one second. So no number stands for "long
/// ago" but `distantPast`, and time that has passed is asked for by `elapsed(since:)`, which never wraps.
public struct MonotonicInstant: Comparable, Hashable, Sendable {
  /// Since boot. 0 is `distantPast`, the largest number `never`.
  public let nanoseconds: UInt64

  /// Later than every other instant.
  public static let never = MonotonicInstant(nanoseconds: .max)

  /// Earlier than every other instant: any time has passed since, however young the clock is.
  public static let distantPast = MonotonicInstant(nanoseconds: 0)

  /// An instant from its number.
  public init(nanoseconds: UInt64) {
    self.nanoseconds = nanoseconds
  }

  /// The clock's reading.
  public static func now() -> MonotonicInstant {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    // A clock namespace may be set to any number of seconds (time_namespaces(7)); beyond 584 years it is `never`.
    let (seconds, overflow) = UInt64(clamping: time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, overflow2) = seconds.addingReportingOverflow(UInt64(clamping: time.tv_nsec))
    return MonotonicInstant(nanoseconds: overflow || overflow2 ? .max : max(sum, 1))
  }

  /// A length of time, in a form that costs nothing to add: a `Duration` is 128 bits of attoseconds.
  public struct Span: Comparable, Hashable, Sendable {
    /// The largest number stands for ever.
    public let nanoseconds: UInt64

    /// Longer than every other span.
    public static let forever = Span(nanoseconds: .max)

    /// A span from its number.
    public init(nanoseconds: UInt64) {
      self.nanoseconds = nanoseconds
    }

    /// A negative duration is none.
    public init(_ duration: Duration) {
      let (seconds, attoseconds) = duration.components
      let (whole, overflow) = UInt64(max(0, seconds)).multipliedReportingOverflow(by: 1_000_000_000)
      let (sum, overflow2) = whole.addingReportingOverflow(UInt64(max(0, attoseconds) / 1_000_000_000))
      nanoseconds = overflow || overflow2 ? .max : sum
    }

    /// Whole microseconds; at most 292,471 years.
    public var microseconds: Int64 { Int64(clamping: nanoseconds / 1000) }

    /// Whole seconds.
    public var seconds: Int64 { Int64(clamping: nanoseconds / 1_000_000_000) }

    /// Shorter before longer.
    public static func < (left: Span, right: Span) -> Bool { left.nanoseconds < right.nanoseconds }

    /// Shorter before longer, beside a literal such as `.seconds(60)`.
    public static func < (left: Span, right: Duration) -> Bool { left < Span(right) }

    /// Longer, beside a literal such as `.seconds(60)`.
    public static func > (left: Span, right: Duration) -> Bool { left > Span(right) }

    /// At least as long, beside a literal such as `.seconds(60)`.
    public static func >= (left: Span, right: Duration) -> Bool { left >= Span(right) }
  }

  /// The time that has passed since `earlier`: none if it is later than this instant, and for ever since `distantPast`.
  public func elapsed(since earlier: MonotonicInstant) -> Span {
    guard earlier != .distantPast else { return .forever }
    return Span(nanoseconds: nanoseconds > earlier.nanoseconds ? nanoseconds - earlier.nanoseconds : 0)
  }

  /// The time that has passed since this instant, by the clock.
  public var elapsed: Span { MonotonicInstant.now().elapsed(since: self) }

  /// So much later; `never` where that is beyond all numbers. A negative duration adds nothing.
  public static func + (instant: MonotonicInstant, duration: Duration) -> MonotonicInstant {
    instant + Span(duration)
  }

  /// So much later; `never` where that is beyond all numbers.
  public static func + (instant: MonotonicInstant, span: Span) -> MonotonicInstant {
    let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(span.nanoseconds)
    return overflow ? .never : MonotonicInstant(nanoseconds: sum)
  }

  /// Earlier before later.
  public static func < (left: MonotonicInstant, right: MonotonicInstant) -> Bool {
    left.nanoseconds < right.nanoseconds
  }
}
