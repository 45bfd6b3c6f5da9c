import Counting

/// A level of sums above the minutes: each is folded from the next finer one.
public enum RollupLevel: String, Sendable, CaseIterable {
  /// From the minutes, in `window_count_hour`.
  case hour
  /// From the hours, in `window_count_day`.
  case day
  /// From the days, in `window_count_month`. A month is UTC's, as every unit here.
  case month

  /// Where its sums stand.
  var table: String { "window_count_\(rawValue)" }

  /// What it is folded from.
  var finerTable: String {
    switch self {
    case .hour: "window_count"
    case .day: "window_count_hour"
    case .month: "window_count_day"
    }
  }

  /// The level that it is folded from, as `rollup_mark` calls it.
  var finerLevel: String {
    switch self {
    case .hour: "minute"
    case .day: "hour"
    case .month: "day"
    }
  }
}
