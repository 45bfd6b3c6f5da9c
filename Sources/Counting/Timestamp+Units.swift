/// A unit of time whose boundaries are UTC's.
public enum CalendarUnit: Sendable {
  case hour
  case day
  case month
}

extension Timestamp {
  private static let hour: Int64 = 3_600_000_000

  /// The beginning of the unit that this point lies in (PostgreSQL's `date_trunc(unit, …, 'UTC')`).
  public func start(of unit: CalendarUnit) -> Timestamp {
    switch unit {
    case .hour: floored(to: Self.hour)
    case .day: floored(to: 24 * Self.hour)
    case .month: startOfMonth
    }
  }

  private func floored(to length: Int64) -> Timestamp {
    let (product, overflow) = floorDivide(microseconds, by: length).multipliedReportingOverflow(by: length)
    return Timestamp(microseconds: overflow ? .min : product)
  }

  private var startOfMonth: Timestamp {
    let day = 24 * Self.hour
    var date = CivilDate(daysSinceEpoch: floorDivide(microseconds, by: day))
    date.day = 1
    let (product, overflow) = date.daysSinceEpoch.multipliedReportingOverflow(by: day)
    return Timestamp(microseconds: overflow ? .min : product)
  }
}
