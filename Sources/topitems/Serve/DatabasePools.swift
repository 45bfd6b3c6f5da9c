import CountStore
import Postgres

/// The connections to PostgreSQL that answer requests.
struct DatabasePools {
  /// The session of every connection.
  let options: ConnectionOptions
  /// For responses that are made in memory. A request waits in the server's queue for a worker; a worker never waits
  /// for a connection of this pool.
  let queries: ConnectionPool
  /// For responses that are read at a client's pace.
  let streams: ConnectionPool
  /// For time zones and readiness, which hold a connection for no longer than a millisecond.
  let zones: ConnectionPool

  init(_ database: ConnectionOptions, workers: Int, queryTimeout: Int) {
    var options = database
    options.settings += [("default_transaction_read_only", "on")] + CountStore.readerSettings
    self.options = options
    queries = ConnectionPool(options, size: workers, queueBound: workers)
    zones = ConnectionPool(options, size: 1, queueBound: 2 * workers + 1)
    // A worker may wait for a slow client where the spool has no more room, which must not meet the time limit of a
    // statement. Between two rows the limit holds; a server process whose client is gone ends by itself.
    var unlimited = options
    unlimited.answerTimeout = queryTimeout
    unlimited.settings += [("statement_timeout", "0"), ("client_connection_check_interval", "1s")]
    streams = ConnectionPool(unlimited, size: workers, queueBound: workers)
  }

  func close() {
    queries.close()
    streams.close()
  }
}
