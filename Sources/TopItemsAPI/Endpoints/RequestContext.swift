import APICore
import Counting
import HTTP

/// What responses depend on besides the parameters, and how they are sent.
struct RequestContext: Sendable {
  var request: Request
  /// The query, decoded.
  var items: [(name: String, value: String)]
  /// Scheme, host and base path for links.
  var origin: String
  /// The path, decoded.
  var path: String
  /// What the caller may see.
  var scope: LocationScope
  let frame: Frame
  let shared: SharedResponses?

  /// The `Accept` field.
  var accept: String? { request.fields["Accept"] }

  /// Where the next page is.
  func link(cursor: Cursor) -> String {
    let items = items.filter { $0.name != "cursor" } + [(name: "cursor", value: cursor.text)]
    let encoded = items.map { "\(PercentEncoding.encode($0.name))=\(PercentEncoding.encode($0.value))" }
    return "\(origin)\(path)?\(encoded.joined(separator: "&"))"
  }
}

/// The kinds of replies.
extension RequestContext {
  /// A response that is known.
  func ready(_ answer: EndpointResponse) -> Reply { .ready(frame.response(answer)) }

  /// A response that takes the database, and so a worker thread.
  func blocking(_ work: @escaping @Sendable () throws(APIError) -> EndpointResponse) -> Reply {
    .blocking { [frame] in
      do throws(APIError) {
        return frame.response(try work())
      } catch {
        return frame.response(error)
      }
    }
  }

  /// A response that comes by itself, without a worker thread. What is given here does not wait.
  func later(_ subscribe: @escaping @Sendable (@escaping EndpointResponse.Deliver) -> Void) -> Reply {
    .push { [frame] channel in
      subscribe { outcome in
        switch outcome {
        case .success(let answer): channel.answer(frame.response(answer))
        case .failure(let error): channel.answer(frame.response(error))
        }
      }
    }
  }

  /// A response of any length, which leaves in pieces unless it is short. What is thrown is an `APIError` or a
  /// `StreamBroken`.
  func streaming(_ work: @escaping @Sendable (inout ResponsePieces) throws -> Void) -> Reply {
    .streaming { [frame] stream throws(StreamBroken) in
      var pieces = ResponsePieces(stream: stream, isCompressed: frame.acceptsGzip) {
        frame.pieces(contentType: $0)
      }
      let response: Response
      do {
        try work(&pieces)
        guard let answer = try pieces.finish() else { return }
        response = frame.response(answer)
      } catch let broken as StreamBroken {
        throw broken
      } catch {
        // What was sent cannot be taken back, but it must not look whole.
        guard !pieces.hasBegun else { throw .failed }
        response = frame.response(error as? APIError ?? .unexpected)
      }
      try stream.begin(response)
    }
  }

  /// As `blocking`, but all requests of the same query share the response, from memory or when it is computed.
  func shared(
    _ key: SharedQuery.Key,
    _ work: @escaping @Sendable () throws(APIError) -> EndpointResponse
  ) -> Reply {
    guard let shared else { return blocking(work) }
    return shared.cache.reply(Self.query(key, work), to: request, scope: scope, problem: problem)
  }

  /// A stream of the response to a query: at once, and whenever it changes.
  func followed(
    _ key: SharedQuery.Key,
    _ work: @escaping @Sendable () throws(APIError) -> EndpointResponse
  ) -> Reply {
    guard let shared else { return blocking(work) }
    let head = frame.eventStream()
    // Begun, though nothing follows: a length would have to be that of GET (RFC 9110 §8.6), which has none.
    guard request.method == .get else { return .push { $0.begin(head) } }
    return shared.live.follow(
      Self.query(key, work),
      head: head,
      lastEventID: request.fields["Last-Event-ID"].flatMap(EventID.init(text:)),
      problem: problem
    )
  }

  private var problem: @Sendable (APIError) -> Response {
    { [frame] error in frame.response(error) }
  }

  /// For all clients: without anything of this request.
  private static func query(
    _ key: SharedQuery.Key,
    _ work: @escaping @Sendable () throws(APIError) -> EndpointResponse
  ) -> SharedQuery {
    SharedQuery(key: key) { () throws(APIError) in
      let frame = Frame()
      let answer = try work()
      return (frame.response(answer), answer.dependency)
    }
  }
}
