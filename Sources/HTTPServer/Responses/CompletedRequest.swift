import HTTP
import Threading
import Sockets

/// A request and its response: a line of the access log. It holds no credentials: fields that carry them are left
/// out, and the values of parameters that carry them are redacted.
public struct CompletedRequest: Sendable {
  /// The client's address.
  public var peer: SocketAddress
  /// Nil when the request could not be read.
  public var method: Method?
  /// The target as it was sent, secrets redacted; nil when the request could not be read.
  public var target: String?
  /// What the client speaks.
  public var version: Version
  /// The field `User-Agent`.
  public var userAgent: String?
  /// The name of the request's route, see `ServerSettings.route`.
  public var route: String
  /// The status of the response.
  public var status: Status
  /// Bytes of the response's body.
  public var bodyBytes: Int
  /// From the request's last byte to the response's, as exact as the turns of the event loop.
  public var duration: Duration
  /// Whether the whole response was produced.
  public var isComplete: Bool

  /// A completed request with these properties.
  public init(
    peer: SocketAddress,
    method: Method?,
    target: String?,
    version: Version,
    userAgent: String?,
    route: String,
    status: Status,
    bodyBytes: Int,
    duration: Duration,
    isComplete: Bool
  ) {
    self.peer = peer
    self.method = method
    self.target = target
    self.version = version
    self.userAgent = userAgent
    self.route = route
    self.status = status
    self.bodyBytes = bodyBytes
    self.duration = duration
    self.isComplete = isComplete
  }
}
