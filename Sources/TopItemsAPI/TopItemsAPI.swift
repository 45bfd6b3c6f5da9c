public import HTTP

/// Receives what happens in the API; called on worker threads.
public typealias Observe = @Sendable (APIObservation) -> Void

/// The HTTP API: takes a request, returns its response, or the work that makes it. It has no sockets, and no state
/// besides its routes and the answers that it shares.
public struct TopItemsAPI: Sendable {
  let routes: [String: Route]
  let shared: SharedAnswers?
  private static let methods: [Method] = [.get, .head, .options]

  /// - Parameters:
  ///   - maximumRows: a longer answer is refused with a 400 that says how to narrow the question.
  ///   - shared: answers in memory, and live push; without it every question is asked anew, and nothing is pushed.
  ///   - observe: receives what happens; it must not block for long.
  public init(
    backend: Backend,
    maximumRows: Int = 100_000,
    shared: SharedAnswers? = nil,
    observe: @escaping Observe = { _ in }
  ) {
    self.shared = shared
    routes = Route.all(backend: backend, maximumRows: maximumRows, observe: observe)
  }

  /// Answers one request. HEAD gets the response of GET, body included: it is counted, and the encoder drops it.
  public func handle(_ request: Request) -> Reply {
    if let hit = shared?.cache.hit(request) { return .ready(hit) }
    let frame = Frame(request)
    do throws(APIError) {
      let path = request.target.decodedPath
      guard let route = routes[path] ?? (path == "*" ? Self.server : nil) else { throw .unknownPath }
      switch request.method {
      case .options: return .ready(frame.options(Self.methods))
      case .get, .head: break
      default: throw .wrongMethod(allowed: Self.methods)
      }
      guard !route.isNegotiated || Accept.allowsJSON(request.fields["Accept"]) else {
        throw .notAcceptable(offered: "application/json")
      }
      let items = try Self.queryItems(request.target)
      switch try route.answer(try Parameters(items, known: route.parameters)) {
      case .ready(let answer):
        return .ready(frame.response(answer))
      case .blocking(let work):
        if let reply = sharedReply(to: request, route, items, frame, work) { return reply }
        return .blocking {
          do throws(APIError) {
            return frame.response(try work())
          } catch {
            return frame.response(error)
          }
        }
      }
    } catch {
      return .ready(frame.response(error))
    }
  }

  /// The reply of a route whose answer serves everybody who asks the same; nil for another route.
  private func sharedReply(
    to request: Request,
    _ route: Route,
    _ items: [(name: String, value: String)],
    _ frame: Frame,
    _ work: @escaping @Sendable () throws(APIError) -> Answer
  ) -> Reply? {
    guard let shared, route.isShared || route.follows != nil else { return nil }
    let key = Question.Key(path: route.follows ?? request.target.decodedPath, parameters: items)
    let question = Question(key: key) { () throws(APIError) in
      let frame = Frame()
      let answer = try work()
      return (frame.response(answer), answer.basis)
    }
    let problem = { @Sendable (error: APIError) in frame.response(error) }
    guard route.follows != nil else {
      return shared.cache.reply(question, to: request, problem: problem)
    }
    let head = frame.eventStream()
    guard request.method == .get else { return .ready(head) }
    return shared.live.follow(
      question,
      head: head,
      lastEventID: request.fields["Last-Event-ID"].flatMap { Int64($0) },
      problem: problem
    )
  }

  /// The problem document for what never became a request: a parser's refusal, a time limit.
  ///
  /// - Parameter detail: a clause for people that repeats nothing of the request.
  public static func problem(_ status: Status, detail: String) -> Response {
    Frame().response(.refused(status, detail: detail))
  }

  /// What `OPTIONS *` asks about; no other method has that target.
  private static let server = Route { _ throws(APIError) in throw .unknownPath }

  private static func queryItems(_ target: Target) throws(APIError) -> [(name: String, value: String)] {
    do {
      return try target.queryItems()
    } catch {
      throw .malformedQuery(parameter: error.name, detail: error.detail)
    }
  }
}
