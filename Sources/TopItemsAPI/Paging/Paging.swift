/// `limit` and `cursor`: how much of a result is asked for, and where to go on.
struct Paging: Equatable {
  static let names = ["limit", "cursor"]
  static let largestLimit: Int64 = 100_000

  /// The most rows of a page; nil for all that there are.
  var limit: Int?
  var cursor: Cursor?

  init() {}

  init(_ parameters: Parameters, format: Format) throws(APIError) {
    limit = try parameters.one("limit", expected: "an integer from 1 to \(Self.largestLimit)") { text in
      Parameters.integer(text).flatMap { (1...Self.largestLimit).contains($0) ? Int($0) : nil }
    }
    cursor = try parameters.one("cursor", expected: "the next_cursor of a page", Cursor.init(text:))
    // The other formats have no place for what comes next, and a result is never cut silently.
    guard format == .page || (limit == nil && cursor == nil) else {
      throw .unpagedFormat(parameter: limit == nil ? "cursor" : "limit")
    }
  }
}

/// Where the next page of a result begins: which server holds the result, which one it is, and the row.
struct Cursor: Equatable {
  var instance: UInt64
  var result: ResultSets.Key
  var row: Int

  init(instance: UInt64, result: ResultSets.Key, row: Int) {
    self.instance = instance
    self.result = result
    self.row = row
  }

  /// Server and result in hexadecimal digits, the row in decimal ones, with dots between them.
  init?(text: String) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0].utf8.count == 16, parts[1].utf8.count == 32, parts[2].utf8.count <= 9,
      let instance = UInt64(parts[0], radix: 16), let high = UInt64(parts[1].prefix(16), radix: 16),
      let low = UInt64(parts[1].suffix(16), radix: 16), let row = Int(parts[2]), row > 0
    else { return nil }
    self.init(instance: instance, result: ResultSets.Key(high: high, low: low), row: row)
    // One spelling only.
    guard self.text == text else { return nil }
  }

  var text: String {
    "\(Self.digits(instance)).\(Self.digits(result.high))\(Self.digits(result.low)).\(row)"
  }

  private static func digits(_ number: UInt64) -> String {
    let text = String(number, radix: 16)
    return String(repeating: "0", count: 16 - text.utf8.count) + text
  }
}
