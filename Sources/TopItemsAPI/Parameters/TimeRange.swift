import APICore
import CountStore
import Counting

/// The span of time that `from`, `to` and `window` mean.
extension TopItemsRange {
  /// One hour, in microseconds.
  static let defaultWindow: Int64 = 3_600_000_000

  init(_ parameters: inout ParameterReader) {
    let expected = """
      an RFC 3339 time such as 2026-11-01T00:00:00Z (the + of an offset is written %2B in a query, \
      where + stands for a space)
      """
    let from = parameters.one("from", expected: expected, Timestamp.init(rfc3339:))
    let to = parameters.one("to", expected: expected, Timestamp.init(rfc3339:))
    let expectedWindow = "an ISO 8601 duration such as PT15M or P1D, without years, months and leading zeros"
    func span(_ text: String) -> TimeSpan? { Self.isPlainDuration(text) ? TimeSpan(iso8601: text) : nil }
    guard from == nil, to == nil else {
      if parameters.one("window", expected: expectedWindow, span) != nil {
        parameters.fail(.contradictoryParameters("window", other: from == nil ? "to" : "from"))
      }
      if let from, let to, from >= to { parameters.fail(.emptyRange) }
      self = .between(from, to)
      return
    }
    guard let hour = TimeSpan(microseconds: Self.defaultWindow) else {
      preconditionFailure("an hour is positive")
    }
    self = .newest(parameters.one("window", expected: expectedWindow, default: hour, span))
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
