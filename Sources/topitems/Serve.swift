import ArgumentParser
import CountStore
import Glibc
import HTTPServer
import Logging
import Postgres
import Sockets
import TopItemsAPI

/// `topitems serve`: the HTTP server.
struct Serve: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Serve the top items over HTTP.",
    discussion: """
      Any number of servers may stand beside each other; all state is in PostgreSQL. They start and stay up without \
      it: /healthz tells about the process, /readyz about the database.

        topitems serve --listen 127.0.0.1:8080
        curl 'http://127.0.0.1:8080/v1/top-items?n=5&window=PT15M'

      There is no TLS and no access control yet: listen on a loopback address, or behind a proxy that has both.
      SIGTERM and SIGINT finish the requests in progress, for 8 seconds at most.
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
  @Option(help: .option("max-rows", "The longest answer; a longer one is refused.", default: "100000"))
  var maxRows: Int?
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
    let listen = try EnvironmentOption.value("listen", listen) ?? "127.0.0.1:8080"
    guard let address = SocketAddress(listen) else {
      throw ValidationError("--listen must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080.")
    }
    let workers = try NumberOption.value("workers", workers, in: 1...1000) ?? 4
    let seconds = try NumberOption.value("query-timeout", queryTimeout, in: 1...3600) ?? 10
    var limits = Limits()
    limits.connections =
      try NumberOption.value("max-connections", maxConnections, in: 1...1_000_000) ?? limits.connections
    limits.connectionsPerAddress =
      try NumberOption.value("max-connections-per-address", maxConnectionsPerAddress, in: 1...1_000_000)
      ?? limits.connectionsPerAddress
    let maximumRows = try NumberOption.value("max-rows", maxRows, in: 1...10_000_000) ?? 100_000

    var options = try database.connection(for: "serve", statementTimeoutSeconds: seconds)
    options.settings += [("default_transaction_read_only", "on")] + CountStore.readerSettings
    let log = ServerLog(
      try CommandLog.logger(
        "serve",
        level: EnvironmentOption.value("log-level", logLevel),
        format: EnvironmentOption.value("log-format", logFormat)
      )
    )
    // A request waits in the server's queue for a worker; a worker never waits for a connection.
    let pool = ConnectionPool(options, size: workers, queueBound: workers)
    let api = TopItemsAPI(
      backend: .store(pool),
      maximumRows: maximumRows,
      observe: { log.observe($0) }
    )
    let server = Server(
      address: address,
      limits: limits,
      workers: workers,
      observe: { log.observe($0) },
      errorResponse: TopItemsAPI.problem,
      handler: { api.handle($0) }
    )

    do {
      try server.start()
    } catch {
      throw InputError(description: "cannot listen on \(listen): \(error)")
    }
    while !StopSignal.isRequested { usleep(50_000) }
    server.stop(deadline: .seconds(8))
    server.wait()
    pool.close()
  }
}

extension Backend {
  /// Questions answered by PostgreSQL.
  fileprivate static func store(_ pool: ConnectionPool) -> Backend {
    Backend(
      topItems: { query throws(CountStoreError) in
        try answer(pool) { store throws(CountStoreError) in try store.topItems(query) }
      },
      readiness: { () throws(CountStoreError) in
        try answer(pool) { store throws(CountStoreError) in
          do throws(PostgresError) {
            return try store.readiness()
          } catch {
            throw .postgres(error)
          }
        }
      },
      status: { () throws(CountStoreError) in
        try answer(pool) { store throws(CountStoreError) in try store.status() }
      }
    )
  }

  private static func answer<Value: Sendable>(
    _ pool: ConnectionPool,
    _ body: (CountStore) throws(CountStoreError) -> Value
  ) throws(CountStoreError) -> Value {
    let result: Result<Value, CountStoreError>
    do throws(PostgresError) {
      result = try pool.withConnection { connection throws(PostgresError) in
        do throws(CountStoreError) {
          return .success(try body(CountStore(connection)))
        } catch {
          return .failure(error)
        }
      }
    } catch {
      throw .postgres(error)
    }
    return try result.get()
  }
}
