/// How large a request may be. Every limit is judged at the byte that exceeds it, before more is read or stored.
public struct RequestLimits: Sendable, Hashable {
  /// The request line without its CRLF, in bytes; more is a 414. RFC 9112 §3 asks for at least 8000.
  public var requestLine = 8000
  /// The field lines of the header section, their CRLFs included, in bytes; more is a 431. A trailer section counts
  /// on from there.
  public var fieldBytes = 32 * 1024
  /// The number of field lines, those of a trailer section included; more is a 431.
  public var fieldCount = 100
  /// The content, transfer coding removed, in bytes; more is a 413, sent before the content is read. A server reads
  /// content only for those requests that may have any.
  public var bodyBytes = 1024 * 1024
  /// All chunk extensions of one request together, in bytes; more is a 400. Only attackers use them.
  public var chunkExtensionBytes = 4096

  /// The defaults.
  public init() {}
}
