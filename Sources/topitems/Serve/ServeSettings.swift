import HTTPServer
import Logging
import Postgres
import Sockets
import TopItemsAPI
import WebPages

/// What the options of `serve` mean.
struct ServeSettings {
  var address: SocketAddress
  /// Nil: plain text.
  var certificate: ServerCertificate?
  /// What to warn of at the start; nil: nothing.
  var warning: String?
  var limits: Limits
  /// Threads, and connections to PostgreSQL, that answer queries.
  var workers: Int
  /// Seconds that a query may take.
  var queryTimeout: Int
  var database: ConnectionOptions
  var api: TopItemsAPI.Settings
  var pages: WebPages
  /// MiB of responses that are kept until they change.
  var answerMemory: Int
  /// Clients at one time that follow responses.
  var maximumStreams: Int
  var logger: Logger
  /// Nil: no access log.
  var accessLog: AccessLogFormat?
}
