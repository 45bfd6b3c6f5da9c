/// A moment in the Gregorian calendar, in UTC.
package struct CivilTime {
  package let year: Int64
  /// 1…12.
  package let month: Int64
  package let day: Int64
  package let hour: Int64
  package let minute: Int64
  package let second: Int64
  /// Days since 1970-01-01, a Thursday.
  let dayNumber: Int64

  /// The moment a number of seconds after 1970-01-01T00:00:00Z, within the years 1970…9999, which are all that dates
  /// in HTTP can hold.
  package init(second: Int64) {
    let (days, time) = min(max(second, 0), 253_402_300_799).quotientAndRemainder(dividingBy: 86_400)
    dayNumber = days
    (year, month, day) = CivilTime.date(days: days)
    (hour, minute, self.second) = (time / 3600, time / 60 % 60, time % 60)
  }

  /// `Nov`.
  package var monthName: String {
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][Int(month - 1)]
  }

  /// `Sun`.
  var weekdayName: String { ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][Int(dayNumber % 7)] }

  /// By eras of 400 years that start on 1 March, so that the leap day is the last of its year (Howard Hinnant,
  /// "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).
  private static func date(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    return (
      year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month: month,
      day: dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    )
  }
}
