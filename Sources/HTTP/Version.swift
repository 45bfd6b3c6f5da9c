/// The protocol version of a message. A response is always sent as HTTP/1.1, the version says what the client
/// understands (RFC 9110 §2.5).
public enum Version: Sendable, Hashable {
  /// HTTP/1.0: no chunked coding, connections close unless the client asks otherwise.
  case http1_0
  /// HTTP/1.1: connections persist unless one side says `close`.
  case http1_1
}
