import APICore
import ArgumentParser
import CountStore
import Glibc
import HTTP
import HTTPServer
import Logging
import OData
import Postgres
import Prometheus
import Sockets
import TopItemsAPI
import WebPages

/// `topitems serve`: the HTTP server.
struct Serve: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Serve the top items over HTTP.",
    discussion: """
      Any number of servers may stand beside each other; all state is in PostgreSQL. They start and stay up without \
      it: /healthz reports on the process, /readyz on the database.

        topitems serve --listen 127.0.0.1:8080
        curl 'http://127.0.0.1:8080/v1/top-items?n=5&window=PT15M'

      There is no access control yet: listen on a loopback address, or behind a proxy that has it. With --tls-cert \
      and --tls-key it speaks TLS 1.2 and 1.3; changed files are noticed within seconds, or at once on SIGHUP. Both \
      with and without TLS it speaks HTTP/1.1 and HTTP/2. SIGTERM and SIGINT finish the requests in progress, for 8 seconds at most.
      """
  )

  @OptionGroup var database: DatabaseOptions
  @Option(
    help: .option(
      "listen",
      "Address and port; port 0 lets the kernel choose one.",
      default: "127.0.0.1:8080"
    )
  )
  var listen: String?
  @OptionGroup var encryption: TLSOptions
  @Option(
    help: .option("workers", "Threads, and connections to PostgreSQL, that answer queries.", default: "4")
  )
  var workers: Int?
  @Option(help: .option("query-timeout", "Seconds that a query may take.", default: "10"))
  var queryTimeout: Int?
  @Option(help: .option("max-connections", "Clients at one time.", default: "10000"))
  var maxConnections: Int?
  @Option(help: .option("max-connections-per-address", "Clients of one address.", default: "1000"))
  var maxConnectionsPerAddress: Int?
  @Option(
    help: .option(
      "max-rows",
      "Rows of a JSON answer with its envelope, and of a series; a longer one is refused.",
      default: "100000"
    )
  )
  var maxRows: Int?
  @Option(
    help: .option(
      "tableau-script",
      "Where the connector /wdc/ loads Tableau's script from: an address, or a path on this server's origin.",
      default: WebPages.tableauScript
    )
  )
  var tableauScript: String?
  @Option(
    help: .option(
      "cors-origin",
      "Origins whose pages may read answers in browsers, such as https://dashboards.example, with commas; or *.",
      default: "none"
    )
  )
  var corsOrigin: String?
  @Option(
    help: .option(
      "public-url",
      "Where clients reach this server, such as https://example.com/topitems, for links in answers.",
      default: "the host that a request names"
    )
  )
  var publicURL: String?
  @Option(
    help: .option(
      "access-log-format",
      "A line for each request on standard output: common, json or off.",
      default: "off"
    )
  )
  var accessLogFormat: AccessLogOption?
  @Option(
    help: .option(
      "answer-memory",
      "MiB for answers that are kept until they change; 0 keeps none.",
      default: "64"
    )
  )
  var answerMemory: Int?
  @Option(
    help: .option(
      "unsent-memory",
      "MiB of large answers that wait for their clients to read them; beyond it 503.",
      default: "256"
    )
  )
  var unsentMemory: Int?
  @OptionGroup var spool: SpoolOptions
  @Option(help: .option("max-streams", "Clients at one time that follow answers live.", default: "10000"))
  var maxStreams: Int?
  @Option(help: .option("log-format", "text or json (one object a line).", default: "text"))
  var logFormat: LogFormat?
  @Option(
    help: .option(
      "log-level",
      "trace, debug, info, notice, warning, error or critical.",
      default: "info"
    )
  )
  var logLevel: Logger.Level?

  func run() throws {
    StopSignal.listen()
    ReloadSignal.listen()
    let listen = try EnvironmentOption.value("listen", listen) ?? "127.0.0.1:8080"
    guard let address = SocketAddress(listen) else {
      throw ValidationError("--listen must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080.")
    }
    let certificate = try encryption.certificate()
    let workers = try NumberOption.value("workers", workers, in: 1...1000) ?? 4
    let seconds = try NumberOption.value("query-timeout", queryTimeout, in: 1...3600) ?? 10
    var limits = Limits()
    limits.connections =
      try NumberOption.value("max-connections", maxConnections, in: 1...1_000_000) ?? limits.connections
    limits.connectionsPerAddress =
      try NumberOption.value("max-connections-per-address", maxConnectionsPerAddress, in: 1...1_000_000)
      ?? limits.connectionsPerAddress
    if let mebibytes = try NumberOption.value("unsent-memory", unsentMemory, in: 1...1_000_000) {
      limits.unsentBodies = mebibytes << 20
    }
    try spool.apply(to: &limits)
    let maximumRows = try NumberOption.value("max-rows", maxRows, in: 1...10_000_000) ?? 100_000
    let script = try EnvironmentOption.value("tableau-script", tableauScript) ?? WebPages.tableauScript
    guard let pages = WebPages(tableauScript: script) else {
      throw ValidationError(
        "--tableau-script must be an address without a query, such as \(WebPages.tableauScript)."
      )
    }
    let corsOrigins = (try EnvironmentOption.value("cors-origin", corsOrigin) ?? "").split(separator: ",")
      .map { $0.trimmingPrefix(while: \.isWhitespace) }.map(String.init)
    let publicURL = try Self.publicURL(try EnvironmentOption.value("public-url", publicURL))
    let answerMemory = try NumberOption.value("answer-memory", answerMemory, in: 0...1_000_000) ?? 64
    let maximumStreams = try NumberOption.value("max-streams", maxStreams, in: 0...1_000_000) ?? 10_000

    var options = try database.connection(for: "serve", statementTimeoutSeconds: seconds, writing: false)
    options.settings += [("default_transaction_read_only", "on")] + CountStore.readerSettings
    let log = ServerLog(
      try CommandLog.logger(
        "serve",
        level: EnvironmentOption.value("log-level", logLevel),
        format: EnvironmentOption.value("log-format", logFormat)
      ),
      isEncrypted: certificate != nil
    )
    if let warning = try encryption.warning(for: address) { log.warn(warning) }
    let accessLog = try accessLog()
    let metrics = ServerMetrics()
    // A request waits in the server's queue for a worker; a worker never waits for a connection but that of time zones
    // and of readiness, which is held for no longer than a millisecond.
    let pool = ConnectionPool(options, size: workers, queueBound: workers)
    let zones = ConnectionPool(options, size: 1, queueBound: 2 * workers + 1)
    // A worker may wait for a slow client where the spool has no more room, which must not meet the time limit of a
    // statement. Between two rows the limit holds; a server process whose client is gone ends by itself.
    var patient = options
    patient.answerTimeout = seconds
    patient.settings += [("statement_timeout", "0"), ("client_connection_check_interval", "1s")]
    let streams = ConnectionPool(patient, size: workers, queueBound: workers)
    var settings = TopItemsAPI.Settings()
    settings.maximumRows = maximumRows
    settings.crossOrigin = CrossOrigin(origins: corsOrigins)
    settings.address.url = publicURL
    settings.address.isEncrypted = certificate != nil
    let answers = CachedResponses(
      mebibytes: answerMemory,
      maximumStreams: maximumStreams,
      workers: workers
    )
    let outcomes = QuestionOutcomes()
    let api = TopItemsAPI(
      backend: Backend(pool: pool, streams: streams, zones: zones, outcomes: outcomes),
      settings: settings,
      odata: ODataService(
        read: Backend.rows(pool, outcomes),
        stream: Backend.rows(streams, outcomes),
        observe: { log.observe($0) }
      ),
      shared: answers.shared,
      observe: { log.observe($0) }
    )
    let server = Server(
      address: address,
      certificate: certificate,
      limits: limits,
      workers: workers,
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
        api.routeName(of: request) ?? pages.routeName(of: request)
          ?? (request.target.decodedPath == "/metrics" ? "/metrics" : "other")
      },
      errorResponse: TopItemsAPI.problem,
      handler: { request in
        // First, as it is asked for most, and found without a look at what the target means.
        if let reply = api.remembered(request) { return reply }
        if let page = pages.response(to: request) { return .ready(page) }
        guard request.target.decodedPath == "/metrics" else { return api.handle(request) }
        return .ready(
          .metrics(request) { page in
            metrics.write(to: &page, prefix: "topitems_http")
            page.counter(
              "topitems_access_log_dropped_total",
              "Lines that the reader of the access log was too slow for.",
              [.init(Double(accessLog?.dropped ?? 0))]
            )
            answers.shared.write(to: &page)
            answers.shared.writeFreshness(to: &page)
            certificate?.write(to: &page)
          }
        )
      }
    )

    do {
      try server.start()
    } catch {
      throw InputError(description: "cannot listen on \(listen): \(error)")
    }
    try answers.start(on: server, options) { log.observe($0) }
    var turns = 0
    while !StopSignal.isRequested {
      usleep(50_000)
      turns += 1
      let isAsked = ReloadSignal.take()
      if isAsked || turns % 40 == 0 { server.reloadCertificate(always: isAsked) }
    }
    server.stop(deadline: .seconds(8))
    server.wait()
    pool.close()
    streams.close()
    accessLog?.close()
  }

  private func accessLog() throws -> AccessLog? {
    switch try EnvironmentOption.value("access-log-format", accessLogFormat) ?? .off {
    case .off: nil
    case .common: try AccessLog(.common, descriptor: STDOUT_FILENO)
    case .json: try AccessLog(.json, descriptor: STDOUT_FILENO)
    }
  }

  /// Without the slashes at its end.
  private static func publicURL(_ text: String?) throws -> String? {
    guard var text else { return nil }
    guard text.hasPrefix("http://") || text.hasPrefix("https://"), !text.contains("?"), !text.contains("#")
    else {
      throw ValidationError("--public-url must be an http or https address without a query.")
    }
    while text.hasSuffix("/") { text.removeLast() }
    return text
  }
}
