import APICore
import CountStore
import Counting

/// The span of time that `from`, `to` and `window` mean.
extension TopItemsParameters {
  /// One hour, in microseconds.
  static let defaultWindow: Int64 = 3_600_000_000
  static func range(_ parameters: Parameters) throws(APIError) -> TopItemsRange {
    let expected = """
      an RFC 3339 time such as 2026-11-01T00:00:00Z (the + of an offset is written %2B in a query, \
      where + stands for a space)
      """
    let from = try parameters.one("from", expected: expected, Timestamp.init(rfc3339:))
    let to = try parameters.one("to", expected: expected, Timestamp.init(rfc3339:))
    let window = try parameters.one(
      "window",
      expected: "an ISO 8601 duration such as PT15M or P1D, without years, months and leading zeros"
    ) { text in isPlainDuration(text) ? TimeSpan(iso8601: text) : nil }
    if let window {
      if from != nil { throw .contradictoryParameters("window", other: "from") }
      if to != nil { throw .contradictoryParameters("window", other: "to") }
      return .newest(window)
    }
    if let from, let to, from >= to { throw .emptyRange }
    if from != nil || to != nil { return .between(from, to) }
    guard let hour = TimeSpan(microseconds: defaultWindow) else { preconditionFailure("an hour is positive") }
    return .newest(hour)
  }

  /// Whether no number begins with 0 or is so long that the sum would be more than 150,000 days: further back than any
  /// camera counted, and far from where arithmetic ends.
  private static func isPlainDuration(_ text: String) -> Bool {
    var digits = 0
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "0") where digits == 0: return false
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digits += 1
      case UInt8(ascii: "W") where digits > 4, UInt8(ascii: "D") where digits > 5,
        UInt8(ascii: "H") where digits > 6,
        UInt8(ascii: "M") where digits > 7, UInt8(ascii: "S") where digits > 8:
        return false
      default: digits = 0
      }
    }
    return true
  }
}
