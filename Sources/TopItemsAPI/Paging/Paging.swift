import APICore

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
      DecimalInteger.parse(text).flatMap { (1...Self.largestLimit).contains($0) ? Int($0) : nil }
    }
    cursor = try parameters.one("cursor", expected: "the next_cursor of a page", Cursor.init(text:))
    // The other formats have no place for what comes next, and a result is never cut silently.
    guard format == .page || (limit == nil && cursor == nil) else {
      throw .unpagedFormat(parameter: limit == nil ? "cursor" : "limit")
    }
  }
}
