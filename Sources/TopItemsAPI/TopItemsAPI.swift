public import APICore
import Counting
import Dispatch
public import HTTP
public import OData

/// The HTTP API: takes a request, returns its response, or the work that makes it. It has no sockets, and no state
/// besides its routes, the responses that it shares and the results that are being read page by page.
public struct TopItemsAPI: Sendable {
  /// How an API is set up.
  public struct Settings: Sendable {
    /// A JSON response of more rows is refused with a 400 that says how to narrow the query.
    public var maximumRows = 100_000
    /// How much memory the results take that are being read page by page, in bytes.
    public var keptBytes = 256 * 1024 * 1024
    /// Which pages of other origins may read responses.
    public var crossOrigin = CrossOrigin()
    /// Where clients reach this API.
    public var address = PublicAddress()

    /// The defaults.
    public init() {}
  }

  let routes: [String: Route]
  let odata: ODataService?
  let shared: SharedResponses?
  private let settings: Settings
  private static let methods: [Method] = [.get, .head, .options]

  /// Has work done later, on any thread; the work does not wait.
  public typealias Timer = @Sendable (Duration, @escaping @Sendable () -> Void) -> Void

  /// - Parameters:
  ///   - odata: what answers under `/odata/v4/`; nil for nothing.
  ///   - shared: shared responses and live push; without it every query is asked again, and nothing is pushed.
  ///   - timer: for what must be answered in time; nil for Dispatch's.
  ///   - observe: receives what happens; it must not block for long.
  public init(
    backend: Backend,
    settings: Settings = Settings(),
    odata: ODataService? = nil,
    shared: SharedResponses? = nil,
    timer: Timer? = nil,
    observe: @escaping Observe = { _ in }
  ) {
    self.settings = settings
    self.odata = odata
    self.shared = shared
    routes = Route.all(
      backend: backend,
      maximumRows: settings.maximumRows,
      kept: ResultSets(capacity: settings.keptBytes),
      freshness: { shared?.freshness.label },
      timer: timer ?? Self.later,
      observe: observe
    )
  }

  private static let later: Timer = { delay, work in
    let nanoseconds = Int(max(.zero, min(delay, .seconds(3600))) / .nanoseconds(1))
    DispatchQueue.global().asyncAfter(deadline: .now() + .nanoseconds(nanoseconds), execute: work)
  }

  /// Answers one request. HEAD gets the response of GET, body included: it is counted, and the encoder drops it.
  ///
  /// - Parameter other: what answers requests that are not for the API; it is asked after the responses in memory,
  /// which
  ///   are found without a look at what the target means.
  public func handle(_ request: Request, otherwise other: (Request) -> Reply? = { _ in nil }) -> Reply {
    // For every caller alike: there is no access control yet.
    let scope = LocationScope.all
    if let hit = shared?.cache.hit(request, scope: scope) {
      return settings.crossOrigin.applied(to: .ready(hit), of: request)
    }
    return other(request) ?? settings.crossOrigin.applied(to: reply(to: request, scope), of: request)
  }

  private func reply(to request: Request, _ scope: LocationScope) -> Reply {
    if ODataService.owns(request.target.decodedPath), let odata {
      return odata.handle(request, origin: settings.address.origin(for: request))
    }
    let frame = Frame(request)
    do throws(APIError) {
      let path = request.target.decodedPath
      guard let route = routes[path] ?? (path == "*" ? Self.server : nil) else { throw .unknownPath }
      switch request.method {
      case .options: return .ready(frame.options(Self.methods))
      case .get, .head: break
      default: throw .wrongMethod(allowed: Self.methods)
      }
      return try route.reply(
        RequestContext(
          request: request,
          items: try Self.queryItems(request.target),
          origin: settings.address.origin(for: request),
          path: path,
          scope: scope,
          frame: frame,
          shared: shared
        )
      )
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
  private static let server = Route { _, context in { .ready(context.frame.options(methods)) } }

  private static func queryItems(_ target: Target) throws(APIError) -> [(name: String, value: String)] {
    do {
      return try target.queryItems()
    } catch {
      throw .malformedQuery(parameter: error.name, detail: error.detail)
    }
  }
}
