/// The line `Date: Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7 and §6.6.1), formatted once a second.
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
    let time = CivilTime(second: second)
    var line = Array("Date: \(time.weekdayName), ".utf8)
    append(time.day, digits: 2, to: &line)
    line += " \(time.monthName) ".utf8
    append(time.year, digits: 4, to: &line)
    for (separator, value) in [(" ", time.hour), (":", time.minute), (":", time.second)] {
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
}
