import CLibpq

/// One session with PostgreSQL over libpq.
///
/// Used by one thread at a time; it may be sent to another thread, not shared. Statements run in the extended
/// protocol with binary arguments and results, prepared once per SQL text.
public final class Connection {
  /// nil once closed.
  var handle: OpaquePointer?
  private(set) var statements: StatementCache
  private var parameters = ParameterBuffer()
  /// Milliseconds; negative for no limit.
  let answerTimeout: Int32
  /// Stops this connection's running statement from another thread.
  public let canceller: Canceller

  /// Connects and sets the session up: client encoding UTF8, time zone UTC, ISO dates, standard strings, then
  /// the options' settings.
  ///
  /// - Throws: `.configuration` for a malformed URL or a database whose encoding is not UTF8, `.connection` when no
  ///   server can be reached or it refuses the user, `.server` when it refuses a setting.
  public convenience init(_ options: ConnectionOptions) throws(PostgresError) {
    try self.init(options, connectTimeoutLimit: nil)
  }

  /// - Parameter connectTimeoutLimit: seconds; connecting takes no longer, whatever the options say.
  init(_ options: ConnectionOptions, connectTimeoutLimit: Int?) throws(PostgresError) {
    let handle = try Self.connect(options, timeoutLimit: connectTimeoutLimit)
    self.handle = handle
    answerTimeout = options.answerTimeout.map { Int32(clamping: max(1, $0) &* 1000) } ?? -1
    statements = StatementCache(capacity: options.statementCacheSize)
    canceller = Canceller(handle)
    let settings = [
      (name: "TimeZone", value: "UTC"), (name: "DateStyle", value: "ISO"),
      (name: "standard_conforming_strings", value: "on"),
      // Statements here are short and kept; compiling one takes seconds where its cost is overestimated.
      (name: "jit", value: "off"),
    ]
    do {
      try apply(settings + options.settings)
    } catch {
      close()
      throw error
    }
  }

  deinit {
    close()
  }

  /// A failure has shown that the session is to be renewed (``PostgresError/remedy``).
  var needsRenewal = false

  /// The session exists, libpq has seen no fault in it, and no failure that belongs to the session has been thrown: it
  /// can be used again. A server that went away silently is only noticed by the next statement.
  public var isUsable: Bool { isConnected && !needsRenewal }

  /// The session exists, and libpq has seen no fault in it.
  var isConnected: Bool { handle != nil && PQstatus(handle) == CONNECTION_OK }

  /// The descriptor that libpq talks through; negative without a connection.
  var socket: Int32 { PQsocket(handle) }

  /// The server process's id, 0 once closed.
  public var backendPid: Int32 { PQbackendPID(handle) }

  /// The server's version as a number, e.g. 150004 for 15.4.
  public var serverVersion: Int { Int(PQserverVersion(handle)) }

  /// Whether a transaction is open, failed or not.
  public var isInTransaction: Bool {
    let status = PQtransactionStatus(handle)
    return status == PQTRANS_INTRANS || status == PQTRANS_INERROR || status == PQTRANS_ACTIVE
  }

  /// Ends the session; the server rolls back what is not committed. Closing twice is fine.
  public func close() {
    PQfinish(handle)
    handle = nil
  }

  /// Runs one statement.
  ///
  /// It is prepared on first use and kept; a plan that a schema change made stale is prepared again, at once
  /// outside of a transaction, at the retry otherwise.
  ///
  /// - Throws: `.server` with a SQLSTATE, `.connection`, or `.value` for an argument that cannot be sent.
  public func execute(_ query: Query) throws(PostgresError) -> QueryResult {
    try prepared(query) { sent throws(PostgresError) in try collect(sent: sent, sql: query.sql) }
  }

  /// Runs one statement and returns its rows one at a time, as they arrive: for responses of any length.
  ///
  /// They are of one snapshot. Until the last one is read, the connection takes no other statement. `answerTimeout`
  /// is the limit for each of them, and a `statement_timeout` includes the time that the reader takes.
  ///
  /// - Throws: as ``execute(_:)``, as far as it is known before the first row.
  public func rows(of query: Query) throws(PostgresError) -> RowStream {
    try prepared(query) { sent throws(PostgresError) in
      guard sent == 1 else { throw PostgresError(handle: handle, sql: query.sql) }
      return try RowStream(self, sql: query.sql)
    }
  }

  /// Runs a script of several statements in the simple protocol, as one transaction unless it says otherwise.
  /// The results are dropped.
  public func run(script: String) throws(PostgresError) {
    _ = try simple(script)
  }

  /// Runs what the server may refuse for a reason that belongs to the session (`Remedy.renewSession`), where the caller
  /// can do without it: after the refusal the session is as usable as before.
  /// - Throws: `PostgresError`, that refusal or another failure.
  public func allowingRefusal(_ body: () throws(PostgresError) -> Void) throws(PostgresError) {
    let neededRenewal = needsRenewal
    do {
      try body()
    } catch {
      needsRenewal = neededRenewal
      throw error
    }
  }

  private func prepared<Answer: ~Copyable>(
    _ query: Query,
    _ read: (_ sent: Int32) throws(PostgresError) -> Answer
  ) throws(PostgresError) -> Answer {
    let neededRenewal = needsRenewal
    do {
      return try sendPrepared(query, read)
    } catch {
      guard error.isStalePlan, PQtransactionStatus(handle) == PQTRANS_IDLE else { throw error }
      // Prepared again, it fits: the failure is not passed on, and the session is as good as before.
      needsRenewal = neededRenewal
      return try sendPrepared(query, read)
    }
  }

  private func sendPrepared<Answer: ~Copyable>(
    _ query: Query,
    _ read: (_ sent: Int32) throws(PostgresError) -> Answer
  ) throws(PostgresError) -> Answer {
    guard handle != nil else { throw .closed(sql: query.sql) }
    try encode(query)
    let statement = try prepare(query)
    do {
      return try read(send(statement))
    } catch {
      if error.isStalePlan { forget(statement) }
      throw error
    }
  }

  /// A statement that the server knows by a name.
  struct PreparedStatement {
    let key: StatementCache.Key
    let name: String
  }

  /// Prepares a statement, unless it has been prepared before.
  func prepare(_ query: Query) throws(PostgresError) -> PreparedStatement {
    let key = StatementCache.Key(sql: query.sql, types: query.values.map(\.typeOID))
    if let name = statements.lookUp(key) { return PreparedStatement(key: key, name: name) }
    return PreparedStatement(key: key, name: try prepare(key))
  }

  /// The statement will be prepared again.
  func forget(_ statement: PreparedStatement) { statements.remove(statement.key) }

  /// Sends a statement with the arguments that were encoded last; libpq's return code.
  func send(_ statement: PreparedStatement) -> Int32 {
    PQsendQueryPrepared(
      handle,
      statement.name,
      Int32(parameters.count),
      parameters.pointers,
      parameters.lengths,
      parameters.formats,
      1
    )
  }

  func encode(_ query: Query) throws(PostgresError) {
    do {
      try parameters.encode(query.values)
    } catch {
      throw PostgresError(error.kind, error.message, sqlState: error.sqlState, sql: query.sql)
    }
  }

  private func prepare(_ key: StatementCache.Key) throws(PostgresError) -> String {
    try refuseNUL(in: key.sql)
    // In a failed transaction nothing can be deallocated, and the prepare below is about to say so.
    if !statements.discarded.isEmpty, PQtransactionStatus(handle) != PQTRANS_INERROR {
      let names = statements.discarded
      // Cleared first: a name that is gone already (DISCARD ALL) must not fail every later prepare.
      statements.forgetDiscarded()
      if PQtransactionStatus(handle) == PQTRANS_IDLE {
        let neededRenewal = needsRenewal
        _ = try? simple(names.map { "DEALLOCATE \($0)" }.joined(separator: ";"))
        needsRenewal = neededRenewal
      } else {
        _ = try simple(names.map { "DEALLOCATE \($0)" }.joined(separator: ";"))
      }
    }
    let name = statements.newName()
    let sent = PQsendPrepare(handle, name, key.sql, Int32(key.types.count), key.types)
    _ = try collect(sent: sent, sql: key.sql)
    statements.insert(key, name: name)
    return name
  }

  private func apply(_ settings: [(name: String, value: String)]) throws(PostgresError) {
    var query = Query(sql: "SELECT ")
    for (index, setting) in settings.enumerated() {
      query.append("\(unescaped: index > 0 ? ", " : "")set_config(\(setting.name), \(setting.value), false)")
    }
    try encode(query)
    // Once per session, so not worth a prepared statement.
    let sent = PQsendQueryParams(
      handle,
      query.sql,
      Int32(parameters.count),
      parameters.types,
      parameters.pointers,
      parameters.lengths,
      parameters.formats,
      1
    )
    _ = try collect(sent: sent, sql: query.sql)
  }
}
