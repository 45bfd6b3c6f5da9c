import HTTPServer
import Logging
import TopItemsAPI

/// Turns what the server and the API observe into log lines.
struct ServerLog: Sendable {
  private let logger: Logger

  init(_ logger: Logger) { self.logger = logger }

  func observe(_ observation: ServerObservation) {
    switch observation {
    case .listening(let address): logger.info("listening on http://\(address)")
    case .refusedRequest(let error, let peer, let suppressed):
      logger.debug("refused a request of \(peer): \(error)", metadata: Self.metadata(suppressed))
    case .refusedConnection(let limit, let peer, let suppressed):
      let option = limit == .total ? "--max-connections" : "--max-connections-per-address"
      logger.warning("refused a connection of \(peer), see \(option)", metadata: Self.metadata(suppressed))
    case .acceptPaused(let error): logger.warning("cannot accept connections for the moment: \(error)")
    case .loopFailed(let error): logger.critical("an event loop has failed: \(error)")
    case .stopped(let cut):
      logger.info(cut == 0 ? "stopped" : "stopped; \(cut) requests were not done in time")
    }
  }

  func observe(_ observation: APIObservation) {
    switch observation {
    case .topItemsFailed(_, let error): logger.warning("a question was not answered: \(error)")
    case .statusFailed(let error): logger.warning("the status is not known: \(error)")
    case .readinessFailed(let error): logger.warning("not ready: \(error)")
    }
  }

  private static func metadata(_ suppressed: Int) -> Logger.Metadata {
    suppressed == 0 ? [:] : ["more": "\(suppressed)"]
  }
}
