import APICore
import ArgumentParser
import Glibc
import HTTPServer
import Logging
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
  @OptionGroup var limits: LimitOptions
  @Option(
    help: .option(
      "max-rows",
      "Rows of a JSON response with its envelope, and of a series; a longer one is refused.",
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
      "Origins whose pages may read responses in browsers, such as https://dashboards.example, with commas; or *.",
      default: "none"
    )
  )
  var corsOrigin: String?
  @Option(
    help: .option(
      "public-url",
      "Where clients reach this server, such as https://example.com/topitems, for links in responses.",
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
      "MiB for cached responses; 0 caches none.",
      default: "64"
    )
  )
  var answerMemory: Int?
  @Option(help: .option("max-streams", "Subscribers of live streams at one time.", default: "10000"))
  var maxStreams: Int?
  @OptionGroup var logging: LogOptions

  func run() throws {
    StopSignal.listen()
    ReloadSignal.listen()
    let server = try RunningServer(settings())
    var turns = 0
    while !StopSignal.isRequested {
      usleep(50_000)
      turns += 1
      let isAsked = ReloadSignal.take()
      if isAsked || turns % 40 == 0 { server.reloadCertificate(always: isAsked) }
    }
    server.stop()
  }

  /// What the options mean: all of them are read and checked before anything starts.
  private func settings() throws -> ServeSettings {
    let listen = try EnvironmentOption.value("listen", listen) ?? "127.0.0.1:8080"
    guard let address = SocketAddress(listen) else {
      throw ValidationError("--listen must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080.")
    }
    let certificate = try encryption.certificate()
    let seconds = try NumberOption.value("query-timeout", queryTimeout, in: 1...3600) ?? 10
    return ServeSettings(
      address: address,
      certificate: certificate,
      warning: try encryption.warning(for: address),
      limits: try limits.limits(),
      workers: try NumberOption.value("workers", workers, in: 1...1000) ?? 4,
      queryTimeout: seconds,
      database: try database.connection(for: "serve", statementTimeoutSeconds: seconds, writing: false),
      api: try apiSettings(isEncrypted: certificate != nil),
      pages: try pages(),
      answerMemory: try NumberOption.value("answer-memory", answerMemory, in: 0...1_000_000) ?? 64,
      maximumStreams: try NumberOption.value("max-streams", maxStreams, in: 0...1_000_000) ?? 10_000,
      logger: try logging.logger("serve"),
      accessLog: try accessLog()
    )
  }

  private func apiSettings(isEncrypted: Bool) throws -> TopItemsAPI.Settings {
    let origins = (try EnvironmentOption.value("cors-origin", corsOrigin) ?? "").split(separator: ",")
      .map { $0.trimmingPrefix(while: \.isWhitespace) }.map(String.init)
    var settings = TopItemsAPI.Settings()
    settings.maximumRows = try NumberOption.value("max-rows", maxRows, in: 1...10_000_000) ?? 100_000
    settings.crossOrigin = CrossOrigin(origins: origins)
    settings.address.url = try Self.publicURL(try EnvironmentOption.value("public-url", publicURL))
    settings.address.isEncrypted = isEncrypted
    return settings
  }

  private func pages() throws -> WebPages {
    let script = try EnvironmentOption.value("tableau-script", tableauScript) ?? WebPages.tableauScript
    guard let pages = WebPages(tableauScript: script) else {
      throw ValidationError(
        "--tableau-script must be an address without a query, such as \(WebPages.tableauScript)."
      )
    }
    return pages
  }

  private func accessLog() throws -> AccessLogFormat? {
    switch try EnvironmentOption.value("access-log-format", accessLogFormat) ?? .off {
    case .off: nil
    case .common: .common
    case .json: .json
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
