/// What an integer in `timestamp_detected` counts since 1970-01-01T00:00:00Z.
public enum TimestampUnit: String, Sendable, CaseIterable {
  /// By magnitude: seconds below 1e11, milliseconds below 1e14, microseconds below 1e17 (each until the year 5138).
  case automatic
  /// Seconds, whatever the magnitude.
  case seconds
  /// Milliseconds, whatever the magnitude.
  case milliseconds
  /// Microseconds, whatever the magnitude.
  case microseconds

  /// The point that an integer means; `nil` if it is beyond the limits of `automatic`, or, with a given unit, outside
  /// the years 0000…9999.
  func timestamp(_ count: Int64) -> Timestamp? {
    switch self {
    case .automatic:
      switch count.magnitude {
      case ..<100_000_000_000: Timestamp(microseconds: count * 1_000_000)
      case ..<100_000_000_000_000: Timestamp(microseconds: count * 1_000)
      case ..<100_000_000_000_000_000: Timestamp(microseconds: count)
      default: nil
      }
    case .seconds: Self.inRange(count.times(1_000_000))
    case .milliseconds: Self.inRange(count.times(1_000))
    case .microseconds: Self.inRange(count)
    }
  }

  private static func inRange(_ microseconds: Int64?) -> Timestamp? {
    microseconds.map(Timestamp.init).flatMap { Timestamp.rfc3339Range.contains($0) ? $0 : nil }
  }
}
