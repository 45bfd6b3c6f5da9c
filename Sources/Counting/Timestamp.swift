/// A point in time: microseconds since 1970-01-01T00:00:00Z, PostgreSQL's own resolution.
///
/// Leap seconds do not exist here, as in POSIX and PostgreSQL: every day has 86,400 seconds.
public struct Timestamp: Hashable, Sendable {
  /// Microseconds since 1970-01-01T00:00:00Z, negative before it.
  public var microseconds: Int64

  /// The point `microseconds` after 1970-01-01T00:00:00Z.
  public init(microseconds: Int64) {
    self.microseconds = microseconds
  }
}

extension Timestamp: Comparable {
  /// Whether `left` is earlier.
  public static func < (left: Timestamp, right: Timestamp) -> Bool {
    left.microseconds < right.microseconds
  }
}

extension Timestamp {
  /// The point a span later; at the end of the representable time, that end.
  public static func + (point: Timestamp, span: TimeSpan) -> Timestamp {
    let (sum, overflow) = point.microseconds.addingReportingOverflow(span.microseconds)
    return Timestamp(microseconds: overflow ? .max : sum)
  }

  /// The point a span earlier; at the start of the representable time, that start.
  public static func - (point: Timestamp, span: TimeSpan) -> Timestamp {
    let (difference, overflow) = point.microseconds.subtractingReportingOverflow(span.microseconds)
    return Timestamp(microseconds: overflow ? .min : difference)
  }
}

extension Timestamp: CustomStringConvertible {
  /// The same as `rfc3339`.
  public var description: String { rfc3339 }
}
