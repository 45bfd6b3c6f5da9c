public import APICore
import Dispatch
public import HTTP
public import OData

/// The HTTP API: takes a request, returns its response, or the work that makes it. It has no sockets, and no state
/// besides its routes, the responses that it shares and the results that are being read page by page.
public struct TopItemsAPI: Sendable {
  /// How an API is set up.
  public struct Settings: Sendable {
    /// A JSON answer of more rows is refused with a 400 that says how to narrow the question.
    public var maximumRows = 100_000
    /// How much memory the results take that are being read page by page, in bytes.
    public var keptBytes = 256 * 1024 * 1024
    /// Which pages of other origins may read answers.
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
  ///   - shared: shared responses and live push; without it every question is asked again, and nothing is pushed.
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
      kept: ResultSets<EncodedResult>(capacity: settings.keptBytes),
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
  public func handle(_ request: Request) -> Reply {
    remembered(request) ?? settings.crossOrigin.applied(to: reply(to: request), of: request)
  }

  /// The response to a request whose answer is in memory and still holds; nil for any other, for which `handle` is
  /// there.
  public func remembered(_ request: Request) -> Reply? {
    guard let hit = shared?.cache.hit(request) else { return nil }
    return settings.crossOrigin.applied(to: .ready(hit), of: request)
  }

  private func reply(to request: Request) -> Reply {
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
      let context = RequestContext(
        parameters: try Parameters(try Self.queryItems(request.target), known: route.parameters),
        accept: request.fields["Accept"],
        origin: settings.address.origin(for: request),
        path: path
      )
      switch try route.answer(context) {
      case .ready(let answer): return .ready(frame.response(answer))
      case .blocking(let work): return Self.blocking(work, frame)
      case .later(let subscribe): return Self.later(subscribe, frame)
      case .shared(let format, let work):
        return sharedReply(to: request, route, context, format, frame, work) ?? Self.blocking(work, frame)
      case .streaming(let work): return Self.streaming(work, frame)
      }
    } catch {
      return .ready(frame.response(error))
    }
  }

  private static func blocking(
    _ work: @escaping @Sendable () throws(APIError) -> EndpointResponse,
    _ frame: Frame
  ) -> Reply {
    .blocking {
      do throws(APIError) {
        return frame.response(try work())
      } catch {
        return frame.response(error)
      }
    }
  }

  private static func later(
    _ subscribe: @escaping @Sendable (@escaping EndpointResponse.Deliver) -> Void,
    _ frame: Frame
  ) -> Reply {
    .push { channel in
      subscribe { outcome in
        switch outcome {
        case .success(let answer): channel.answer(frame.response(answer))
        case .failure(let error): channel.answer(frame.response(error))
        }
      }
    }
  }

  private static func streaming(
    _ work: @escaping @Sendable (inout ResponsePieces) throws -> Void,
    _ frame: Frame
  ) -> Reply {
    .streaming { stream throws(StreamBroken) in
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

  /// The reply whose response all requests of the same question share, from memory or when it is computed.
  private func sharedReply(
    to request: Request,
    _ route: Route,
    _ context: RequestContext,
    _ format: Format,
    _ frame: Frame,
    _ work: @escaping @Sendable () throws(APIError) -> EndpointResponse
  ) -> Reply? {
    guard let shared else { return nil }
    let key = Question.Key(
      path: route.follows ?? context.path,
      format: format,
      parameters: context.parameters.items
    )
    let question = Question(key: key) { () throws(APIError) in
      let frame = Frame()
      let answer = try work()
      return (frame.response(answer), answer.dependency)
    }
    let problem = { @Sendable (error: APIError) in frame.response(error) }
    guard route.follows != nil else {
      return shared.cache.reply(question, to: request, problem: problem)
    }
    let head = frame.eventStream()
    // Begun, though nothing follows: a length would have to be that of GET (RFC 9110 §8.6), which has none.
    guard request.method == .get else { return .push { $0.begin(head) } }
    return shared.live.follow(
      question,
      head: head,
      lastEventID: request.fields["Last-Event-ID"].flatMap(EventID.init(text:)),
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
