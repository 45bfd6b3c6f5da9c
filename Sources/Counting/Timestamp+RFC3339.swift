extension Timestamp {
  /// The instants whose UTC year RFC 3339 can write: 0000-01-01T00:00:00Z … 9999-12-31T23:59:59.999999Z.
  public static let rfc3339Range: ClosedRange<Timestamp> =
    Timestamp(microseconds: -62_167_219_200_000_000)...Timestamp(microseconds: 253_402_300_799_999_999)

  /// Reads an RFC 3339 `date-time`, strictly; see `parseRFC3339(_:)`.
  public init?(rfc3339 text: String) {
    var text = text
    guard let timestamp = text.withUTF8({ Self.parseRFC3339(UnsafeRawBufferPointer($0)) }) else {
      return nil
    }
    self = timestamp
  }

  /// Reads an RFC 3339 `date-time` (§5.6), and nothing before or after it.
  ///
  /// `T`, `t` or one space separates date and time; the offset is required (`Z`, `z`, `±hh:mm`); a fraction
  /// may have any length and is cut to microseconds. A leap second (`:60`) is taken where it can be, in the
  /// last minute of a UTC month, as the first second of the next month. `24:00:00` is refused, and so is an
  /// instant whose UTC year is not 0000…9999, so that what was read can be written again.
  public static func parseRFC3339(_ utf8: UnsafeRawBufferPointer) -> Timestamp? {
    var text = DigitReader(utf8)
    guard
      let year = text.digits(4), text.take("-"),
      let month = text.digits(2), (1...12).contains(month), text.take("-"),
      let day = text.digits(2), (1...CivilDate.length(ofMonth: month, in: year)).contains(day),
      text.take("T") || text.take("t") || text.take(" "),
      let hour = text.digits(2), hour <= 23, text.take(":"),
      let minute = text.digits(2), minute <= 59, text.take(":"),
      let second = text.digits(2), second <= 60,
      let fraction = text.take(".") ? text.microseconds() : 0,
      let offsetMinutes = text.offset(), text.isAtEnd
    else { return nil }

    let days = CivilDate(year: year, month: month, day: day).daysSinceEpoch
    let seconds = days * 86_400 + hour * 3_600 + (minute - offsetMinutes) * 60 + second
    if second == 60 {
      guard seconds % 86_400 == 0, CivilDate(daysSinceEpoch: seconds / 86_400).day == 1 else { return nil }
    }
    let timestamp = Timestamp(microseconds: seconds * 1_000_000 + fraction)
    return rfc3339Range.contains(timestamp) ? timestamp : nil
  }

  /// The UTC time as RFC 3339 writes it, like `2026-11-01T00:00:00Z`; a fraction only if it is not zero,
  /// without trailing zeros. A year outside 0000…9999, which RFC 3339 cannot write, has a sign and six digits
  /// (ISO 8601's expanded form).
  public var rfc3339: String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(27)
    appendRFC3339(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Appends the ASCII bytes of `rfc3339`; or, with an offset from UTC of less than a day, the same instant as clocks
  /// there show it, like `2026-11-01T01:00:00+01:00`. An offset that leads beyond what can be represented is left out.
  public func appendRFC3339(to bytes: inout [UInt8], offsetMinutes: Int64 = 0) {
    let (local, overflow) = microseconds.addingReportingOverflow(offsetMinutes * 60_000_000)
    guard offsetMinutes == 0 || overflow || abs(offsetMinutes) >= 1440 else {
      Timestamp(microseconds: local).appendRFC3339(to: &bytes)
      bytes.removeLast()
      bytes.append(UInt8(ascii: offsetMinutes < 0 ? "-" : "+"))
      append(abs(offsetMinutes) / 60, width: 2, to: &bytes)
      bytes.append(UInt8(ascii: ":"))
      append(abs(offsetMinutes) % 60, width: 2, to: &bytes)
      return
    }
    let microsecondsPerDay: Int64 = 86_400_000_000
    let days = floorDivide(microseconds, by: microsecondsPerDay)
    // From the remainder, as days × length can lie below Int64.min.
    let remainder = microseconds % microsecondsPerDay
    let timeOfDay = remainder < 0 ? remainder + microsecondsPerDay : remainder
    let date = CivilDate(daysSinceEpoch: days)
    let seconds = timeOfDay / 1_000_000

    if (0...9_999).contains(date.year) {
      append(date.year, width: 4, to: &bytes)
    } else {
      bytes.append(UInt8(ascii: date.year < 0 ? "-" : "+"))
      append(abs(date.year), width: 6, to: &bytes)
    }
    bytes.append(UInt8(ascii: "-"))
    append(date.month, width: 2, to: &bytes)
    bytes.append(UInt8(ascii: "-"))
    append(date.day, width: 2, to: &bytes)
    bytes.append(UInt8(ascii: "T"))
    append(seconds / 3_600, width: 2, to: &bytes)
    bytes.append(UInt8(ascii: ":"))
    append(seconds / 60 % 60, width: 2, to: &bytes)
    bytes.append(UInt8(ascii: ":"))
    append(seconds % 60, width: 2, to: &bytes)
    var fraction = timeOfDay % 1_000_000
    if fraction > 0 {
      var width = 6
      while fraction % 10 == 0 {
        fraction /= 10
        width -= 1
      }
      bytes.append(UInt8(ascii: "."))
      append(fraction, width: width, to: &bytes)
    }
    bytes.append(UInt8(ascii: "Z"))
  }

  private func append(_ number: Int64, width: Int, to bytes: inout [UInt8]) {
    var divisor: Int64 = 1
    for _ in 1..<width { divisor *= 10 }
    while divisor > 0 {
      bytes.append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
      divisor /= 10
    }
  }
}

/// Walks over ASCII text made of numbers and separators; every step either advances or fails.
private struct DigitReader {
  private let bytes: UnsafeRawBufferPointer
  private var position = 0

  init(_ bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
  }

  var isAtEnd: Bool { position == bytes.count }

  mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  mutating func digit() -> Int64? {
    guard position < bytes.count, case let value = bytes[position] &- UInt8(ascii: "0"), value <= 9 else {
      return nil
    }
    position += 1
    return Int64(value)
  }

  mutating func digits(_ count: Int) -> Int64? {
    var number: Int64 = 0
    for _ in 0..<count {
      guard let digit = digit() else { return nil }
      number = number * 10 + digit
    }
    return number
  }

  /// The digits after the point, at least one; those behind the sixth are read and dropped.
  mutating func microseconds() -> Int64? {
    guard let first = digit() else { return nil }
    var scale: Int64 = 100_000
    var number = first * scale
    while let digit = digit() {
      scale /= 10
      number += digit * scale
    }
    return number
  }

  /// `time-offset` in minutes. `-00:00` is allowed and means UTC with an unknown local offset (§4.3).
  mutating func offset() -> Int64? {
    if take("Z") || take("z") { return 0 }
    let sign: Int64 = take("+") ? 1 : -1
    guard
      sign == 1 || take("-"),
      let hours = digits(2), hours <= 23, take(":"),
      let minutes = digits(2), minutes <= 59
    else { return nil }
    return sign * (hours * 60 + minutes)
  }
}
