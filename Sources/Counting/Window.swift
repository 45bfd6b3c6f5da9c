/// A tumbling window of event time: `start ≤ detected at < start + length`.
///
/// Windows start at whole multiples of their length since 1970-01-01T00:00:00Z, so every clock minute is one.
public struct Window: Hashable, Sendable {
  /// One minute, in microseconds.
  public static let length: Int64 = 60_000_000

  /// The first instant of the window.
  public let start: Timestamp

  /// The window that contains a point in time.
  public init(containing point: Timestamp) {
    start = Self.start(of: point)
  }

  /// The first instant of the window that contains a point, also before 1970.
  ///
  /// In the incomplete window at the very start of `Int64`, which no decoded event is in, it is the point itself.
  public static func start(of point: Timestamp) -> Timestamp {
    let remainder = point.microseconds % length
    let elapsed = remainder < 0 ? remainder + length : remainder
    let (start, overflow) = point.microseconds.subtractingReportingOverflow(elapsed)
    return overflow ? point : Timestamp(microseconds: start)
  }
}
