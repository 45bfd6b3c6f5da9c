/// A whole request, its content included.
public struct Request: Sendable {
  /// What is to be done.
  public var method: Method
  /// To what.
  public var target: Target
  /// What the client speaks.
  public var version: Version
  /// The header section; trailers of a chunked request are never merged into it (RFC 9110 §6.5.1).
  public var fields: Fields
  /// The content, transfer coding removed; empty if there was none.
  public var body: [UInt8]
  /// Whether the client lets the connection live on after the response (RFC 9112 §9.3).
  public var persists: Bool

  /// A request as the parser makes it; tests of handlers make their own.
  public init(
    method: Method = .get,
    target: Target,
    version: Version = .http1_1,
    fields: Fields = [:],
    body: [UInt8] = [],
    persists: Bool = true
  ) {
    self.method = method
    self.target = target
    self.version = version
    self.fields = fields
    self.body = body
    self.persists = persists
  }

  /// The host and port the request is meant for: those of an absolute-form target, which override the Host field
  /// (RFC 9112 §3.2.2), else the Host field's. Nil only for HTTP/1.0 without Host.
  public var authority: String? { target.authority ?? fields["Host"] }
}
