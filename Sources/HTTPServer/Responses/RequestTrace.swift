import HTTP
import Threading
import Sockets

/// What the metrics and the access log need of a request until its response is complete.
struct RequestTrace {
  /// The request's part of the access log line. A class, so that the trace stays small where nothing is logged.
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
  /// Begins the trace of a request, or of one that could not be read; nil without metrics and access log.
  func beginTrace(_ request: Request?, peer: SocketAddress) -> RequestTrace? {
    guard metrics != nil || settings.logsRequests else { return nil }
    return RequestTrace(
      start: events.now,
      route: request.map(settings.route) ?? "none",
      line: settings.logsRequests ? RequestTrace.Line(request, peer: peer) : nil
    )
  }

  /// Records a completed request in the metrics and in the access log.
  ///
  /// - Parameter isEndless: a stream, whose duration is the client's choice: the metrics leave it out.
  func endTrace(
    _ trace: RequestTrace?,
    status: Status,
    bodyBytes: Int,
    isComplete: Bool = true,
    isEndless: Bool = false
  ) {
    guard let trace else { return }
    let nanoseconds = Int64(clamping: events.now.elapsed(since: trace.start).nanoseconds)
    metrics?.record(
      route: trace.route,
      status: status,
      seconds: isEndless ? nil : Double(nanoseconds) / 1e9
    )
    guard let line = trace.line else { return }
    settings.observe(
      .answered(
        CompletedRequest(
          peer: line.peer,
          method: line.method,
          target: line.target,
          version: line.version,
          userAgent: line.userAgent,
          route: trace.route,
          status: status,
          bodyBytes: bodyBytes,
          duration: .nanoseconds(nanoseconds),
          isComplete: isComplete
        )
      )
    )
  }
}
