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

  /// The level that it is folded from; nil for hours, which are folded from minutes.
  var finer: RollupLevel? {
    switch self {
    case .hour: nil
    case .day: .hour
    case .month: .day
    }
  }

  /// The level that is folded from it; nil for months.
  var coarser: RollupLevel? {
    switch self {
    case .hour: .day
    case .day: .month
    case .month: nil
    }
  }

  /// Whether a level is made from this one, if by way of others.
  func isFiner(than other: RollupLevel) -> Bool {
    guard let coarser else { return false }
    return coarser == other || coarser.isFiner(than: other)
  }

  /// What one of its windows spans.
  var unit: CalendarUnit {
    switch self {
    case .hour: .hour
    case .day: .day
    case .month: .month
    }
  }
}
