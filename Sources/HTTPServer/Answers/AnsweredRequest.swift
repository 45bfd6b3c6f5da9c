import HTTP
import Locks
import Sockets

/// A request and what became of it: a line of an access log. It holds no credentials: fields that carry them are not
/// taken, and the values of parameters that do are redacted.
public struct AnsweredRequest: Sendable {
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
  /// The name that `Server` was told for this kind of request.
  public var route: String
  /// The status of the answer.
  public var status: Status
  /// Bytes of the answer's body.
  public var bodyBytes: Int
  /// From the request's last byte to the answer's, as exact as the turns of the event loop.
  public var duration: Duration
  /// Whether the answer was made to its end.
  public var isComplete: Bool

  /// Takes each property; the server makes it, and tests of what reads it.
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

/// What is known of a request while it is answered, as far as anyone wants to know.
struct RequestAccount {
  /// What the access log says of the request; an object, as an account without one is handed around with each request.
  final class Line {
    let peer: SocketAddress
    let method: Method?
    let target: String?
    let version: Version
    let userAgent: String?

    init(_ request: Request?, peer: SocketAddress) {
      self.peer = peer
      method = request?.method
      target = request.map { Redaction.target($0.target) }
      version = request?.version ?? .http1_1
      userAgent = request?.fields["User-Agent"]
    }
  }

  let start: Instant
  let route: String
  let line: Line?
}

extension ServerLoop {
  /// Begins the account of a request, or of one that could not be read; nil when nobody wants to know.
  func openAccount(_ request: Request?, peer: SocketAddress) -> RequestAccount? {
    guard metrics != nil || settings.logsRequests else { return nil }
    return RequestAccount(
      start: events.now,
      route: request.map(settings.route) ?? "none",
      line: settings.logsRequests ? RequestAccount.Line(request, peer: peer) : nil
    )
  }

  /// Tells metrics and log what became of a request.
  ///
  /// - Parameter isEndless: it went on for as long as its client listened, so how long says nothing.
  func closeAccount(
    _ account: RequestAccount?,
    status: Status,
    bodyBytes: Int,
    isComplete: Bool = true,
    isEndless: Bool = false
  ) {
    guard let account else { return }
    let nanoseconds = Int64(clamping: events.now.elapsed(since: account.start).nanoseconds)
    metrics?.note(
      route: account.route,
      status: status,
      seconds: isEndless ? nil : Double(nanoseconds) / 1e9
    )
    guard let line = account.line else { return }
    settings.observe(
      .answered(
        AnsweredRequest(
          peer: line.peer,
          method: line.method,
          target: line.target,
          version: line.version,
          userAgent: line.userAgent,
          route: account.route,
          status: status,
          bodyBytes: bodyBytes,
          duration: .nanoseconds(nanoseconds),
          isComplete: isComplete
        )
      )
    )
  }
}
