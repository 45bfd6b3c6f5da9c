import APICore
import CountStore
import HTTP
import JSONText

/// One address of the API. Every one takes GET, HEAD and OPTIONS.
struct Route: Sendable {
  /// The parameters that it takes.
  var parameters: [String] = []
  /// The path whose answer is pushed at this address, at once and whenever it changes.
  var follows: String?
  var answer: @Sendable (RequestContext) throws(APIError) -> EndpointResponse.Outcome
}

extension Route {
  /// Every path there is.
  static func all(
    backend: Backend,
    maximumRows: Int,
    kept: ResultSets<EncodedResult>,
    freshness: @escaping @Sendable () -> FreshnessLabel?,
    timer: @escaping ReadinessEndpoint.After,
    observe: @escaping Observe
  ) -> [String: Route] {
    let topItems = TopItemsEndpoint(
      backend: backend,
      maximumRows: maximumRows,
      kept: kept,
      freshness: freshness,
      observe: observe
    )
    let series = SeriesEndpoint(
      backend: backend,
      maximumRows: maximumRows,
      kept: kept,
      freshness: freshness,
      observe: observe
    )
    let locations = LocationsEndpoint(
      backend: backend,
      maximumRows: maximumRows,
      kept: kept,
      observe: observe
    )
    let items = ItemsEndpoint(backend: backend, maximumRows: maximumRows, kept: kept, observe: observe)
    let readiness = ReadinessEndpoint(ask: backend.readiness, after: timer, observe: observe)
    let status = StatusEndpoint(ask: backend.status, observe: observe)
    let openAPI = EndpointResponse(body: OpenAPIDocument.embedded, isRevalidated: true)
    var routes = [
      "/v1/top-items/stream": Route(parameters: TopItemsParameters.followed, follows: "/v1/top-items") {
        (context) throws(APIError) in try topItems.answer(context, as: .page)
      },
      "/v1/status": Route { _ in status.answer() },
      // The database is not asked: restarting this process would not mend it.
      "/healthz": Route { _ in .ready(.status("ok")) },
      "/readyz": Route { _ in readiness.answer() },
      // Not ready: it is long, and compressed on a worker thread for clients that accept it.
      "/openapi.json": Route { _ in .blocking { openAPI } },
    ]
    routes.add("/v1/top-items", suffixes: true, TopItemsParameters.names, topItems.answer)
    routes.add("/v1/top-items/series", suffixes: false, SeriesEndpoint.names, series.answer)
    routes.add("/v1/locations", suffixes: true, LocationsEndpoint.names, locations.answer)
    routes.add("/v1/items", suffixes: false, ItemsEndpoint.names, items.answer)
    return routes
  }
}

extension [String: Route] {
  /// An address whose format is negotiated, and, if wanted, one for each format that has a suffix: those answer it
  /// whatever the `Accept` field says.
  fileprivate mutating func add(
    _ path: String,
    suffixes: Bool,
    _ parameters: [String],
    _ answer: @escaping @Sendable (RequestContext, Format) throws(APIError) -> EndpointResponse.Outcome
  ) {
    self[path] = Route(parameters: parameters + Paging.names) { (context) throws(APIError) in
      try answer(context, try Format.negotiate(context.accept))
    }
    guard suffixes else { return }
    for (suffix, format) in [(".json", Format.records), (".csv", .csv), (".ndjson", .ndjson)] {
      let known = parameters.filter { $0 != "escape_formulas" || format == .csv }
      self[path + suffix] = Route(parameters: known) { (context) throws(APIError) in
        try answer(context, format)
      }
    }
  }
}
