/// One address of the API. Every one takes GET, HEAD and OPTIONS.
struct Route: Sendable {
  /// The parameters that it takes.
  var parameters: [String] = []
  /// Whether `Accept` is heeded: an address that names its format, or serves probes, answers that format to all.
  var isNegotiated = false
  /// Whether its answer serves all who ask the same.
  var isShared = false
  /// The path whose answer is pushed at this address, at once and whenever it changes.
  var follows: String?
  var answer: @Sendable (Parameters) throws(APIError) -> Answer.Outcome
}

extension Route {
  /// Every path there is.
  static func all(backend: Backend, maximumRows: Int, observe: @escaping Observe) -> [String: Route] {
    let topItems = TopItemsEndpoint(ask: backend.topItems, maximumRows: maximumRows, observe: observe)
    let readiness = ReadinessEndpoint(ask: backend.readiness, observe: observe)
    let status = StatusEndpoint(ask: backend.status, observe: observe)
    let openAPI = Answer(body: OpenAPIDocument.embedded, isRevalidated: true)
    return [
      "/v1/top-items": Route(parameters: TopItemsParameters.names, isNegotiated: true, isShared: true) {
        (parameters) throws(APIError) in try topItems.answer(parameters, as: .page)
      },
      "/v1/top-items.json": Route(parameters: TopItemsParameters.names, isShared: true) {
        (parameters) throws(APIError) in try topItems.answer(parameters, as: .records)
      },
      "/v1/top-items/stream": Route(parameters: TopItemsParameters.names, follows: "/v1/top-items") {
        (parameters) throws(APIError) in try topItems.answer(parameters, as: .page)
      },
      "/v1/status": Route { _ in status.answer() },
      // The database is not asked: restarting this process would not mend it.
      "/healthz": Route { _ in .ready(.status("ok")) },
      "/readyz": Route { _ in readiness.answer() },
      "/openapi.json": Route { _ in .ready(openAPI) },
    ]
  }
}
