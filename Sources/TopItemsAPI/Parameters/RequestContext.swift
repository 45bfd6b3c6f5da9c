import APICore
import HTTP

/// What a route is asked: the parameters, all of them known, and what else of the request answers depend on.
struct RequestContext: Sendable {
  var parameters: Parameters
  /// The `Accept` field.
  var accept: String?
  /// Scheme, host and base path for links.
  var origin: String
  /// The path as it was sent.
  var path: String

  /// Where the next page is.
  func link(cursor: Cursor) -> String {
    let items = parameters.items.filter { $0.name != "cursor" } + [(name: "cursor", value: cursor.text)]
    let encoded = items.map { "\(PercentEncoding.encode($0.name))=\(PercentEncoding.encode($0.value))" }
    return "\(origin)\(path)?\(encoded.joined(separator: "&"))"
  }
}
