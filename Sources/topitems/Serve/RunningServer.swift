import APICore
import CountStore
import Glibc
import HTTP
import HTTPServer
import OData
import Prometheus
import TopItemsAPI
import WebPages

/// The server of `topitems serve` with all that it consists of, from its start to its end.
struct RunningServer {
  private let server: Server
  private let pools: DatabasePools
  private let accessLog: AccessLog?

  /// Starts it.
  ///
  /// - Throws: `InputError` where it cannot listen.
  init(_ settings: ServeSettings) throws {
    let log = ServerLog(settings.logger, isEncrypted: settings.certificate != nil)
    if let warning = settings.warning { log.warn(warning) }
    let accessLog = try settings.accessLog.map { try AccessLog($0, descriptor: STDOUT_FILENO) }
    let metrics = ServerMetrics()
    let pools = DatabasePools(
      settings.database,
      workers: settings.workers,
      queryTimeout: settings.queryTimeout
    )
    let answers = CachedResponses(
      mebibytes: settings.answerMemory,
      maximumStreams: settings.maximumStreams,
      workers: settings.workers
    )
    let api = Self.api(settings, pools, answers, log)
    let pages = settings.pages
    let metricsPage = MetricsResponse(
      server: metrics,
      accessLog: accessLog,
      answers: answers.shared,
      certificate: settings.certificate
    )
    server = Server(
      address: settings.address,
      certificate: settings.certificate,
      limits: settings.limits,
      workers: settings.workers,
      observe: { observation in
        if case .answered(let request) = observation {
          accessLog?.add(request)
        } else {
          log.observe(observation)
        }
      },
      logsRequests: accessLog != nil,
      metrics: metrics,
      route: { request in
        api.routeName(of: request) ?? pages.routeName(of: request) ?? metricsPage.routeName(of: request)
          ?? "other"
      },
      errorResponse: TopItemsAPI.problem,
      handler: { request in
        api.handle(request) { pages.response(to: $0).map(Reply.ready) ?? metricsPage.reply(to: $0) }
      }
    )
    self.pools = pools
    self.accessLog = accessLog
    do {
      try server.start()
    } catch {
      throw InputError(description: "cannot listen on \(settings.address): \(error)")
    }
    try answers.start(on: server, pools.options) { log.observe($0) }
  }

  /// The API and the OData service over PostgreSQL.
  private static func api(
    _ settings: ServeSettings,
    _ pools: DatabasePools,
    _ answers: CachedResponses,
    _ log: ServerLog
  ) -> TopItemsAPI {
    let outcomes = QueryOutcomes()
    return TopItemsAPI(
      backend: Backend(pool: pools.queries, streams: pools.streams, zones: pools.zones, outcomes: outcomes),
      settings: settings.api,
      odata: ODataService(
        read: Backend.rows(pools.queries, outcomes),
        stream: Backend.rows(pools.streams, outcomes),
        observe: { log.observe($0) }
      ),
      shared: answers.shared,
      observe: { log.observe($0) }
    )
  }

  /// Takes changed files of the certificate into use.
  ///
  /// - Parameter always: also if they look as before.
  func reloadCertificate(always: Bool) { server.reloadCertificate(always: always) }

  /// Finishes the requests in progress, for 8 seconds at most.
  func stop() {
    server.stop(deadline: .seconds(8))
    server.wait()
    pools.close()
    accessLog?.close()
  }
}

/// `/metrics` of the server.
struct MetricsResponse: Sendable {
  var server: ServerMetrics
  var accessLog: AccessLog?
  var answers: SharedResponses
  var certificate: ServerCertificate?

  private static let path = "/metrics"

  /// The name of the route in metrics and logs; nil: it is another.
  func routeName(of request: Request) -> String? {
    request.target.decodedPath == Self.path ? Self.path : nil
  }

  /// The response; nil for any other path.
  func reply(to request: Request) -> Reply? {
    guard request.target.decodedPath == Self.path else { return nil }
    return .ready(
      .metrics(request) { page in
        server.write(to: &page, prefix: "topitems_http")
        page.counter(
          "topitems_access_log_dropped_total",
          "Lines that the reader of the access log was too slow for.",
          [.init(Double(accessLog?.dropped ?? 0))]
        )
        answers.write(to: &page)
        answers.writeFreshness(to: &page)
        certificate?.write(to: &page)
      }
    )
  }
}
