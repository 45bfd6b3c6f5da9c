public import HTTP

/// Receives what happens in the API; called on worker threads.
public typealias Observe = @Sendable (APIObservation) -> Void

/// The HTTP API: takes a request, returns its response, or the work that makes it. It has no sockets and no state
/// besides its routes.
public struct TopItemsAPI: Sendable {
  let routes: [String: Route]
  let odata: ODataService?
  private static let methods: [Method] = [.get, .head, .options]

  /// - Parameters:
  ///   - odata: what answers under `/odata/v4/`; nil for nothing.
  ///   - maximumRows: a longer answer is refused with a 400 that says how to narrow the question.
  ///   - observe: receives what happens; it must not block for long.
  public init(
    backend: Backend,
    odata: ODataService? = nil,
    maximumRows: Int = 100_000,
    observe: @escaping Observe = { _ in }
  ) {
    self.odata = odata
    routes = Route.all(backend: backend, maximumRows: maximumRows, observe: observe)
  }

  /// Answers one request. HEAD gets the response of GET, body included: it is counted, and the encoder drops it.
  public func handle(_ request: Request) -> Reply {
    if let odata, ODataService.owns(request.target.decodedPath) { return odata.handle(request) }
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
      let parameters = try Parameters(try Self.queryItems(request.target), known: route.parameters)
      switch try route.answer(parameters) {
      case .ready(let answer):
        return .ready(frame.response(answer))
      case .blocking(let work):
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
