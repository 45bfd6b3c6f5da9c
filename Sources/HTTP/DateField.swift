/// The line `Date: Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7 and §6.6.1), made anew only when the second changes.
public struct DateField: Sendable {
  /// The line with its CRLF.
  public private(set) var line: [UInt8]
  private var second: Int64

  /// The date alone, as it is between `Date: ` and CRLF.
  var value: ArraySlice<UInt8> { line.dropFirst(6).dropLast(2) }

  /// The line for a second since 1970-01-01T00:00:00Z.
  public init(second: Int64) {
    self.second = second
    line = DateField.render(second)
  }

  /// Moves to another second.
  public mutating func update(second: Int64) {
    guard second != self.second else { return }
    self = DateField(second: second)
  }

  private static func render(_ second: Int64) -> [UInt8] {
    // Years 1970…9999 are all that the format can hold.
    let second = min(max(second, 0), 253_402_300_799)
    let (days, time) = second.quotientAndRemainder(dividingBy: 86_400)
    let (year, month, day) = civil(days: days)
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][Int(days % 7)]
    let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    var line = Array("Date: \(weekday), ".utf8)
    append(day, digits: 2, to: &line)
    line += " \(names[Int(month - 1)]) ".utf8
    append(year, digits: 4, to: &line)
    for (separator, value) in [(" ", time / 3600), (":", time / 60 % 60), (":", time % 60)] {
      line += separator.utf8
      append(value, digits: 2, to: &line)
    }
    line += " GMT\r\n".utf8
    return line
  }

  private static func append(_ value: Int64, digits: Int, to line: inout [UInt8]) {
    let text = String(value)
    line.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: digits - text.utf8.count))
    line += text.utf8
  }

  /// The Gregorian date of a day since 1970-01-01, by eras of 400 years that start on 1 March, so that the leap day is
  /// the last of its year (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).
  private static func civil(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
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
