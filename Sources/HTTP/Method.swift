/// A request method this server knows (RFC 9110 §9, RFC 5789). The parser answers 501 to every other one, and to
/// CONNECT, for which an origin server has no use. Methods are case-sensitive.
public enum Method: String, Sendable, Hashable, CaseIterable {
  /// Transfers a representation of the target.
  case get = "GET"
  /// GET without the content.
  case head = "HEAD"
  /// Has the target process the request's content.
  case post = "POST"
  /// Replaces the target.
  case put = "PUT"
  /// Removes the target.
  case delete = "DELETE"
  /// Asks what the target, or with `*` the server, allows.
  case options = "OPTIONS"
  /// Asks for an echo of the request; known, so that routes can answer 405.
  case trace = "TRACE"
  /// Asks with content (draft-ietf-httpbis-safe-method-w-body); known, so that routes can answer 405.
  case query = "QUERY"
  /// Changes a part of the target (RFC 5789).
  case patch = "PATCH"

  /// The method that a request line names, or nil when it is none of the above.
  init?(bytes: some Collection<UInt8>) {
    switch bytes.count {
    case 3:
      if bytes.elementsEqual("GET".utf8) {
        self = .get
      } else if bytes.elementsEqual("PUT".utf8) {
        self = .put
      } else {
        return nil
      }
    case 4...7:
      guard let known = Method.allCases.first(where: { bytes.elementsEqual($0.rawValue.utf8) }) else {
        return nil
      }
      self = known
    default: return nil
    }
  }
}
