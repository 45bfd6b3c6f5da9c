import APICore
import CountStore
import HTTP
import JSONText

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
      "/v1/top-items/stream": Route { topItems.read(&$0, $1, .stream) },
      "/v1/status": Route { _, context in { status.answer(context) } },
      // The database is not asked: restarting this process would not help.
      "/healthz": Route { _, context in { context.ready(.status("ok")) } },
      "/readyz": Route { _, context in { readiness.answer(context) } },
      // Not ready: it is long, and compressed on a worker thread for clients that accept it.
      "/openapi.json": Route { _, context in { context.blocking { openAPI } } },
    ]
    routes.add("/v1/top-items", suffixes: true, topItems.read)
    routes.add("/v1/top-items/series", suffixes: false, series.read)
    routes.add("/v1/locations", suffixes: true, locations.read)
    routes.add("/v1/items", suffixes: false, items.read)
    return routes
  }
}

extension [String: Route] {
  /// An address whose format is negotiated, and, if wanted, one for each format that has a suffix.
  fileprivate mutating func add(
    _ path: String,
    suffixes: Bool,
    _ read: @escaping @Sendable (inout ParameterReader, RequestContext, AddressFormat) -> Route.Handler
  ) {
    self[path] = Route { read(&$0, $1, .negotiated) }
    guard suffixes else { return }
    for (suffix, format) in [(".json", Format.records), (".csv", .csv), (".ndjson", .ndjson)] {
      self[path + suffix] = Route { read(&$0, $1, .suffix(format)) }
    }
  }
}
