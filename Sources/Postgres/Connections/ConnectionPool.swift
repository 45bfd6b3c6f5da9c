import Threading

/// A bounded number of connections shared by threads.
///
/// A connection that broke, that had a failure which belongs to its session (``PostgresError/remedy``), or that comes
/// back inside a transaction, is replaced. After a failed attempt to connect
/// everyone fails fast until a pause is over (100 ms doubling to 2 s, with jitter), and then one caller tries:
/// a dead database costs neither a storm of connects nor a time-out per request.
///
/// Session state that a caller sets (`SET`, `LISTEN`) stays with the connection.
public final class ConnectionPool: Sendable {
  private struct Contents {
    var state: PoolState
    var ready: [Connection] = []
    var lastFailure: PostgresError?
  }

  private enum Lease {
    case ready(Connection)
    case open
    case refused(PostgresError)
  }

  private let options: ConnectionOptions
  private let contents: Monitor<Contents>

  /// A pool that connects when a connection is asked for.
  ///
  /// - Parameters:
  ///   - size: the most connections at a time.
  ///   - queueBound: the most callers that wait for one; further ones are refused at once.
  public init(_ options: ConnectionOptions, size: Int, queueBound: Int = 64) {
    self.options = options
    contents = Monitor(Contents(state: PoolState(size: size, queueBound: queueBound)))
  }

  deinit {
    close()
  }

  /// Runs the body with a connection of its own.
  ///
  /// - Parameter timeout: how long to wait for a connection, a new one's connect included (libpq counts that in
  ///   whole seconds, 2 at least). The body's own time is not limited.
  /// - Throws: `.poolExhausted` when none came free in time or too many wait, `.connection` when the server
  ///   cannot be reached, or the body's error.
  public func withConnection<T: ~Copyable>(
    timeout: Duration = .seconds(5),
    _ body: (Connection) throws(PostgresError) -> T
  ) throws(PostgresError) -> T {
    let connection = try lease(until: ContinuousClock.now + timeout)
    defer { giveBack(connection) }
    return try body(connection)
  }

  /// Closes idle connections now and the others when they come back; no more are handed out.
  public func close() {
    let ready = contents.changeForAll { contents in
      contents.state.close()
      defer { contents.ready = [] }
      return contents.ready
    }
    for connection in ready { connection.close() }
  }

  private func lease(until deadline: ContinuousClock.Instant) throws(PostgresError) -> Connection {
    while true {
      switch next(until: deadline) {
      case .ready(let connection):
        // It may have died while it lay there; all of them, after a restart of the server.
        if !connection.noticesHangUp() { return connection }
        giveBack(connection)
      case .open: return try open(until: deadline)
      case .refused(let error): throw error
      }
    }
  }

  /// Waits for its turn; a caller that may open a connection is entered as its owner already.
  private func next(until deadline: ContinuousClock.Instant) -> Lease {
    var ticket: UInt64?
    let lease = contents.wait(until: deadline) { contents -> Lease? in
      switch contents.state.decide(ticket: ticket, now: ContinuousClock.now) {
      case .reuse:
        contents.state.stopWaiting(ticket)
        contents.state.reused()
        return .ready(contents.ready.removeLast())
      case .open:
        contents.state.stopWaiting(ticket)
        contents.state.opening()
        return .open
      case .wait:
        if ticket == nil { ticket = contents.state.startWaiting() }
        return nil
      case .refuse(let refusal):
        contents.state.stopWaiting(ticket)
        return .refused(Self.error(refusal, lastFailure: contents.lastFailure))
      }
    }
    if let lease { return lease }
    // The next in the queue may be able to go on now.
    contents.changeForAll { $0.state.stopWaiting(ticket) }
    return .refused(PostgresError(.poolExhausted, "no database connection came free in time"))
  }

  private func open(until deadline: ContinuousClock.Instant) throws(PostgresError) -> Connection {
    let left = (deadline - ContinuousClock.now).components.seconds
    do {
      let connection = try Connection(options, connectTimeoutLimit: Int(min(max(2, left), 3600)))
      contents.changeForAll { $0.state.opened() }
      return connection
    } catch {
      let jitter = Double.random(in: 0...1)
      contents.changeForAll { contents in
        contents.state.failedToOpen(now: ContinuousClock.now, jitter: jitter)
        contents.lastFailure = error
      }
      throw error
    }
  }

  private func giveBack(_ connection: Connection) {
    let isFit = connection.isUsable && !connection.isInTransaction
    let isKept = contents.changeForAll { contents in
      contents.state.returned(isFit: isFit)
      guard isFit, !contents.state.isClosed else { return false }
      contents.ready.append(connection)
      return true
    }
    if !isKept { connection.close() }
  }

  private static func error(_ refusal: PoolState.Refusal, lastFailure: PostgresError?) -> PostgresError {
    switch refusal {
    case .closed: PostgresError(.poolExhausted, "the connection pool is closed")
    case .queueFull: PostgresError(.poolExhausted, "too many callers wait for a database connection")
    case .backingOff: lastFailure ?? PostgresError(.connection, "the database could not be reached")
    }
  }
}
