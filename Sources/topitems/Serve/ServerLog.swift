import APICore
import CountStore
import HTTPServer
import Logging
import Threading
import TopItemsAPI

/// Turns what the server and the API observe into log lines.
final class ServerLog: Sendable {
  private let logger: Logger
  private let throttle = Lock(LogThrottle())

  private let scheme: String

  /// - Parameter isEncrypted: whether the server speaks TLS.
  init(_ logger: Logger, isEncrypted: Bool) {
    self.logger = logger
    scheme = isEncrypted ? "https" : "http"
  }

  /// Logs a warning that is no observation, at start.
  func warn(_ text: String) { logger.warning("\(text)") }

  func observe(_ observation: ServerObservation) {
    switch observation {
    case .listening(let address): logger.info("listening on \(scheme)://\(address)")
    case .refusedRequest(let error, let peer, let suppressed):
      logger.debug("refused a request of \(peer): \(error)", metadata: Self.metadata(suppressed))
    case .answered: break  // A line of the access log.
    case .refusedConnection(let limit, let peer, let suppressed):
      let option = limit == .total ? "--max-connections" : "--max-connections-per-address"
      logger.warning("refused a connection of \(peer), see \(option)", metadata: Self.metadata(suppressed))
    case .refusedTLS(let error, let peer, let suppressed):
      logger.debug("refused \(peer): \(error)", metadata: Self.metadata(suppressed))
    case .certificateChanged(let expiry):
      logger.notice("a new certificate is in use", metadata: ["expires": "\(expiry)"])
    case .certificateRejected(let error):
      logger.error("the changed certificate cannot be used, the old one stays in use: \(error)")
    case .acceptPaused(let error): logger.warning("cannot accept connections for the moment: \(error)")
    case .spoolFailed(let error):
      logger.error("the file of --spool-folder failed; streamed responses wait for their clients: \(error)")
    case .loopFailed(let error): logger.critical("an event loop has failed: \(error)")
    case .stopped(let cut):
      logger.info(cut == 0 ? "stopped" : "stopped; \(cut) requests were not done in time")
    }
  }

  func observe(_ observation: APIObservation) {
    guard let suppressed = admit() else { return }
    let metadata = Self.metadata(suppressed)
    switch observation {
    case .queryFailed(let path, let error):
      logger.warning("a query to \(path) was not answered: \(error)", metadata: metadata)
    case .tableFailed(let error): logger.warning("a table was not read: \(error)", metadata: metadata)
    case .statusFailed(let error): logger.warning("the status is not known: \(error)", metadata: metadata)
    case .readinessFailed(let error): logger.warning("not ready: \(error)", metadata: metadata)
    }
  }

  func observe(_ event: RevisionEvent) {
    switch event {
    case .attached(.listening): logger.info("listening for changes; responses are cached")
    case .attached(.polling):
      logger.notice("LISTEN is not possible here (a standby?): polling for changes every 100 ms")
    case .changed, .workers: break
    case .detached(let error):
      guard let suppressed = admit() else { return }
      logger.warning(
        "LISTEN connection lost; caching disabled until it is back: \(error)",
        metadata: Self.metadata(suppressed)
      )
    }
  }

  /// One line a second: while PostgreSQL is away, every client could write one.
  /// - Returns: how many were suppressed before this one; nil when this one is.
  private func admit() -> Int? {
    throttle.withLock { $0.admit(at: .now()) }
  }

  private static func metadata(_ suppressed: Int) -> Logger.Metadata {
    suppressed == 0 ? [:] : ["more": "\(suppressed)"]
  }
}
