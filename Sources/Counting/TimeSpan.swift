/// A length of time, at least one microsecond.
public struct TimeSpan: Hashable, Sendable {
  /// Always positive.
  public let microseconds: Int64

  /// A span of so many microseconds; `nil` unless positive.
  public init?(microseconds: Int64) {
    guard microseconds > 0 else { return nil }
    self.microseconds = microseconds
  }

  /// Reads an ISO 8601 duration of a fixed length: `PnW`, or `PnDTnHnMnS` with any of its parts left out but
  /// not all, like `PT15M`, `P1D`, `P1DT12H`.
  ///
  /// Years and months have no fixed length and are refused; so are fractions, signs, lower-case letters,
  /// zero, and what does not fit into `Int64` microseconds (292,277 years).
  public init?(iso8601 text: String) {
    guard text.utf8.first == UInt8(ascii: "P") else { return nil }
    let parts = text.utf8.dropFirst().split(
      separator: UInt8(ascii: "T"),
      maxSplits: 1,
      omittingEmptySubsequences: false
    )
    let date = parts[0]
    let time = parts.count == 2 ? parts[1] : nil
    let inWeeks = date.last == UInt8(ascii: "W")
    guard
      // A `T` must be followed by a time, and weeks stand alone.
      time?.isEmpty != true, !(inWeeks && time != nil),
      let days = Self.sum(of: date, units: inWeeks ? Self.weeks : Self.days),
      let seconds = time.map({ Self.sum(of: $0, units: Self.timeUnits) }) ?? 0,
      case let (total, overflow) = days.addingReportingOverflow(seconds), !overflow
    else { return nil }
    self.init(microseconds: total)
  }

  /// The span as ISO 8601 writes it, in whole seconds: `P7D`, `PT36H` as `P1DT12H`. What is less than a second is
  /// left out; less than one in all is `PT0S`.
  public var iso8601: String {
    var rest = microseconds / 1_000_000
    let seconds = rest % 60
    rest /= 60
    let (minutes, hours, days) = (rest % 60, rest / 60 % 24, rest / 1440)
    let time = [(hours, "H"), (minutes, "M"), (seconds, "S")].filter { $0.0 > 0 }.map { "\($0.0)\($0.1)" }
      .joined()
    guard days > 0 || !time.isEmpty else { return "PT0S" }
    return "P" + (days > 0 ? "\(days)D" : "") + (time.isEmpty ? "" : "T" + time)
  }

  private typealias Unit = (designator: UInt8, microseconds: Int64)
  private static let weeks: [Unit] = [(UInt8(ascii: "W"), 604_800_000_000)]
  private static let days: [Unit] = [(UInt8(ascii: "D"), 86_400_000_000)]
  private static let timeUnits: [Unit] = [
    (UInt8(ascii: "H"), 3_600_000_000), (UInt8(ascii: "M"), 60_000_000), (UInt8(ascii: "S"), 1_000_000),
  ]

  /// The sum of `number designator` pairs, each unit at most once and in this order; `nil` if it is something
  /// else or does not fit.
  private static func sum(of text: Substring.UTF8View, units: [Unit]) -> Int64? {
    var total: Int64 = 0
    var number: Int64?
    var units = units[...]
    for byte in text {
      if case let digit = byte &- UInt8(ascii: "0"), digit <= 9 {
        guard let next = (number ?? 0).times(10)?.plus(Int64(digit)) else { return nil }
        number = next
      } else {
        guard
          let count = number, let index = units.firstIndex(where: { $0.designator == byte }),
          let next = count.times(units[index].microseconds)?.plus(total)
        else { return nil }
        total = next
        number = nil
        units = units[(index + 1)...]
      }
    }
    return number == nil ? total : nil
  }
}

extension TimeSpan: Comparable {
  /// Whether `left` is shorter.
  public static func < (left: TimeSpan, right: TimeSpan) -> Bool {
    left.microseconds < right.microseconds
  }
}

extension Int64 {
  /// The product, `nil` on overflow.
  func times(_ factor: Int64) -> Int64? {
    let (product, overflow) = multipliedReportingOverflow(by: factor)
    return overflow ? nil : product
  }

  /// The sum, `nil` on overflow.
  func plus(_ addend: Int64) -> Int64? {
    let (sum, overflow) = addingReportingOverflow(addend)
    return overflow ? nil : sum
  }
}
