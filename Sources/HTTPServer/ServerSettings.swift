import HTTP

/// What all loops of a server share.
struct ServerSettings: Sendable {
  let limits: Limits
  /// Nil: in plain text.
  let certificate: ServerCertificate?
  let workers: WorkerPool
  /// For responses in pieces, which may be long.
  let streamers: WorkerPool
  let spool: Spool
  let quota: ConnectionQuota
  let unsent: UnsentBodies
  let observe: @Sendable (ServerObservation) -> Void
  let errorResponse: @Sendable (Status, String) -> Response
  let contentLimit: @Sendable (Request) -> Int
  /// Whether `.answered` is observed.
  let logsRequests: Bool
  let metrics: ServerMetrics?
  let route: @Sendable (Request) -> String
  let handler: @Sendable (Request) -> Reply

  func closeThreads() {
    workers.close()
    streamers.close()
    spool.close()
  }

  /// The response to what the server itself refuses.
  func response(for error: ProtocolError) -> Response {
    var response = errorResponse(error.status, error.detail)
    if error.status == .serviceUnavailable, !response.fields.contains("Retry-After") {
      response.fields.append("Retry-After", "1")
    }
    return response
  }
}
