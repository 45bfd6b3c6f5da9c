import APICore

/// `limit` and `cursor`: how much of a result is asked for, and where to go on.
struct Paging: Equatable {
  static let largestLimit: Int64 = 100_000

  /// The most rows of a page; nil for all that there are.
  var limit: Int?
  var cursor: Cursor?

  /// The whole result, where an address has no pages.
  init() {}

  /// - Parameter format: the one that was negotiated.
  init(_ parameters: inout ParameterReader, format: Format) {
    limit = parameters.position("limit", expected: "an integer from 1 to \(Self.largestLimit)") { text in
      DecimalInteger.parse(text).flatMap { (1...Self.largestLimit).contains($0) ? Int($0) : nil }
    }
    cursor = parameters.position("cursor", expected: "the next_cursor of a page", Cursor.init(text:))
    // The other formats have no place for what comes next, and a result is never cut silently.
    if format != .page, limit != nil || cursor != nil {
      parameters.fail(.unpagedFormat(parameter: limit == nil ? "cursor" : "limit"))
    }
  }
}
