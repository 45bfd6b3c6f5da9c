/// The protocol version of a message. To an HTTP/1.0 client a response is sent as HTTP/1.1; the version says what the
/// client understands (RFC 9110 §2.5).
public enum Version: Sendable, Hashable {
  /// HTTP/1.0: no chunked coding, connections close unless the client asks otherwise.
  case http1_0
  /// HTTP/1.1: connections persist unless one side says `close`.
  case http1_1
  /// HTTP/2 (RFC 9113): the target's authority is in the field Host, whichever way the client has sent it.
  case http2

  /// `HTTP/1.1`, as in a request line.
  public var name: String {
    switch self {
    case .http1_0: "HTTP/1.0"
    case .http1_1: "HTTP/1.1"
    case .http2: "HTTP/2"
    }
  }
}
