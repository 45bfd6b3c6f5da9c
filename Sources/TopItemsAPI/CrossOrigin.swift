import HTTP

/// Which pages of other origins may read answers (Fetch standard, "CORS protocol"); none unless configured. Credentials
/// that browsers add by themselves are never allowed.
public struct CrossOrigin: Sendable {
  private let origins: Set<String>

  /// - Parameter origins: such as `https://dashboards.example`, exactly as browsers send them; or `*` for any.
  public init(origins: [String] = []) {
    self.origins = Set(origins)
  }

  /// Whether answers depend on the `Origin` field.
  var varies: Bool { !origins.isEmpty && !origins.contains("*") }

  /// What `Access-Control-Allow-Origin` says to this origin; nil: nothing.
  func allowed(_ origin: String?) -> String? {
    guard let origin else { return nil }
    return origins.contains("*") ? "*" : origins.contains(origin) ? origin : nil
  }

  /// Beside those that every page may read.
  static let exposed = "ETag, Retry-After, Server-Timing, Allow"
  /// Request fields that pages may send.
  static let requestFields = "Accept, Authorization, If-None-Match, Last-Event-ID, X-API-Key"
}
