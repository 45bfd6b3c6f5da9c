package import HTTP

/// Where clients reach this server, for the links in responses.
public struct PublicAddress: Sendable {
  /// Set by the operator, with a base path and without a slash at its end; nil: the host that a request names.
  public var url: String?
  /// Whether this server itself speaks TLS. A proxy that ends it says so in `X-Forwarded-Proto`.
  public var isEncrypted = false

  /// The host that a request names, without TLS.
  public init() {}

  /// What comes before an absolute path in a link that answers this request.
  package func origin(for request: Request) -> String {
    if let url { return url }
    // Of several proxies the first in the list is the client's.
    let outermost = request.fields["X-Forwarded-Proto"]?.prefix { $0 != "," && $0 != " " }
    let isEncrypted = isEncrypted || outermost?.lowercased() == "https"
    return request.authority.map { "\(isEncrypted ? "https" : "http")://\($0)" } ?? ""
  }
}
