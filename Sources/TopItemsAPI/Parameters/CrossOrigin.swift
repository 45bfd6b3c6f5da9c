import HTTP

/// Which pages of other origins may read responses (Fetch standard, "CORS protocol"); none unless configured.
/// Credentials that browsers add by themselves are never allowed.
///
/// It is put around whole replies, as responses from memory are the same for every origin.
public struct CrossOrigin: Sendable {
  private let origins: Set<String>

  /// - Parameter origins: such as `https://dashboards.example`, exactly as browsers send them; or `*` for any.
  public init(origins: [String] = []) {
    self.origins = Set(origins)
  }

  /// Beside those that every page may read.
  private static let exposed = "ETag, Retry-After, Server-Timing, Allow"
  /// Request fields that pages may send.
  private static let requestFields = "Accept, Authorization, If-None-Match, Last-Event-ID, X-API-Key"

  /// The reply to a request, as a browser wants to see it.
  func applied(to reply: Reply, of request: Request) -> Reply {
    guard !origins.isEmpty else { return reply }
    let origin = request.fields["Origin"]
    switch reply {
    case .ready(let response): return .ready(applied(to: response, origin))
    case .blocking(let work): return .blocking { applied(to: work(), origin) }
    case .streaming(let work):
      return .streaming { stream throws(StreamBroken) in
        try work(
          ResponseStream { part throws(StreamBroken) in
            switch part {
            case .head(let head): try stream.begin(applied(to: head, origin))
            case .piece(let piece): try stream.write(piece)
            }
          }
        )
      }
    case .push(let subscribe):
      return .push { channel in
        subscribe(
          PushChannel(
            send: { signal in
              switch signal {
              case .answer(let response): channel.answer(applied(to: response, origin))
              case .begin(let head, let heartbeat):
                channel.begin(applied(to: head, origin), heartbeat: heartbeat)
              case .message(let message): channel.offer(message)
              case .end: channel.end()
              }
            },
            onClose: { channel.whenClosed($0) }
          )
        )
      }
    }
  }

  private func applied(to response: Response, _ origin: String?) -> Response {
    var response = response
    let isForAll = origins.contains("*")
    if !isForAll, let vary = response.fields["Vary"] { response.fields.set("Vary", vary + ", Origin") }
    guard let origin, isForAll || origins.contains(origin) else { return response }
    response.fields.append("Access-Control-Allow-Origin", isForAll ? "*" : origin)
    response.fields.append("Access-Control-Expose-Headers", Self.exposed)
    // Of OPTIONS: what browsers ask before a page may send fields of its own.
    if response.status == .noContent, let methods = response.fields["Allow"] {
      response.fields.append("Access-Control-Allow-Methods", methods)
      response.fields.append("Access-Control-Allow-Headers", Self.requestFields)
      response.fields.append("Access-Control-Max-Age", "600")
    }
    return response
  }
}
