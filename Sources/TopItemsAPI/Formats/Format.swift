import APICore
import JSONText

/// What a response with rows looks like.
enum Format: String, CaseIterable, Sendable {
  /// An object with what the rows were made from, the rows, and where the next page is.
  case page
  /// A bare array of flat objects.
  case records
  /// A header and a line for each row (RFC 4180).
  case csv
  /// An object on each line.
  case ndjson

  var contentType: String {
    switch self {
    case .page, .records: "application/json"
    case .csv: "text/csv; charset=utf-8"
    case .ndjson: "application/x-ndjson"
    }
  }

  /// The formats of an address that names none, and the media types that stand for them; the first is preferred.
  static let negotiated: [(format: Format, mediaTypes: [String])] = [
    (.page, ["application/json"]), (.csv, ["text/csv"]),
    (.ndjson, ["application/x-ndjson", "application/ndjson", "application/jsonl"]),
  ]

  /// The format that an `Accept` field prefers.
  ///
  /// - Throws: `notAcceptable` where it allows none of them.
  static func negotiate(_ accept: String?) throws(APIError) -> Format {
    let offers = negotiated.flatMap { offer in offer.mediaTypes.map { (offer.format, $0) } }
    guard let best = Accept.best(of: offers.map(\.1), for: accept) else {
      throw .notAcceptable(offered: negotiated.map { $0.mediaTypes[0] }.joined(separator: ", "))
    }
    return offers[best].0
  }
}
