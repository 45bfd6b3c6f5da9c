import CLibpq

/// How much of other transactions a transaction sees (PostgreSQL documentation, 13.2).
public enum Isolation: String, Sendable {
  /// Each statement sees what is committed when it starts.
  case readCommitted = "READ COMMITTED"
  /// All statements see one snapshot.
  case repeatableRead = "REPEATABLE READ"
  /// As if transactions ran one after another; may fail with SQLSTATE 40001.
  case serializable = "SERIALIZABLE"
}

extension Connection {
  /// Runs the body between BEGIN and COMMIT. If it throws, the transaction is rolled back and the error passed
  /// on. Whatever happens, the connection is not inside a transaction afterwards: it is idle, or closed.
  ///
  /// - Throws: the body's error; `.commitUnknown` when the connection was lost during COMMIT; otherwise COMMIT
  ///   failed and nothing was written.
  public func transaction<T: ~Copyable>(
    isolation: Isolation = .readCommitted,
    readOnly: Bool = false,
    _ body: (Connection) throws(PostgresError) -> T
  ) throws(PostgresError) -> T {
    try begin(isolation: isolation, readOnly: readOnly)
    let value: T
    do {
      value = try body(self)
    } catch {
      rollback()
      throw error
    }
    try commit()
    return value
  }

  /// Starts a transaction.
  ///
  /// - Throws: `.protocol` (SQLSTATE 25001) inside of one: PostgreSQL itself only warns.
  public func begin(isolation: Isolation = .readCommitted, readOnly: Bool = false) throws(PostgresError) {
    let sql = Self.beginStatement(isolation, readOnly: readOnly)
    try refuseOpenTransaction(sql)
    _ = try simple(sql)
  }

  static func beginStatement(_ isolation: Isolation, readOnly: Bool) -> String {
    "BEGIN ISOLATION LEVEL \(isolation.rawValue)\(readOnly ? " READ ONLY" : "")"
  }

  func refuseOpenTransaction(_ sql: String) throws(PostgresError) {
    guard !isInTransaction else {
      throw PostgresError(.protocol, "a transaction is open already", sqlState: .activeTransaction, sql: sql)
    }
  }

  /// Commits. Afterwards no transaction is open, whatever happened.
  ///
  /// - Throws: `.commitUnknown` when the connection was lost while COMMIT was under way; any other error means
  ///   that nothing was written: `.connection` when it was lost before, `.server` for a deferred constraint or
  ///   a transaction that had failed already (SQLSTATE 25P02).
  public func commit() throws(PostgresError) {
    try requireTransaction()
    let tag: String
    do {
      tag = try simple("COMMIT").commandTag
    } catch {
      guard error.kind != .connection else {
        close()
        throw error.with(kind: .commitUnknown)
      }
      rollback()
      throw error
    }
    try requireCommitted(tag)
  }

  func requireTransaction() throws(PostgresError) {
    // Asked before anything is sent: a backend that hung up earlier cannot have committed.
    guard !noticesHangUp() else {
      defer { close() }
      throw PostgresError(.connection, "the connection was lost before COMMIT", sql: "COMMIT")
    }
    switch PQtransactionStatus(handle) {
    case PQTRANS_INTRANS, PQTRANS_INERROR: break
    default:
      throw PostgresError(
        .protocol,
        "no transaction is open",
        sqlState: .noActiveTransaction,
        sql: "COMMIT"
      )
    }
  }

  /// PostgreSQL answers COMMIT of a failed transaction with success, and the tag ROLLBACK.
  func requireCommitted(_ tag: String) throws(PostgresError) {
    guard tag == "COMMIT" else {
      throw PostgresError(
        .server,
        "the transaction had failed before COMMIT and was rolled back",
        sqlState: .inFailedTransaction,
        sql: "COMMIT"
      )
    }
  }

  /// Rolls back, if a transaction is open. A connection that cannot do that is closed, and the server does it.
  public func rollback() {
    guard isConnected, isInTransaction else { return }
    do {
      _ = try simple("ROLLBACK")
      if isInTransaction { close() }
    } catch {
      close()
    }
  }

  /// Sets a point to return to.
  public func savepoint(_ name: String) throws(PostgresError) {
    _ = try simple("SAVEPOINT \(quotedIdentifier(name))")
  }

  /// Undoes everything since the savepoint, also a failure; the savepoint stays.
  public func rollback(to savepoint: String) throws(PostgresError) {
    _ = try simple("ROLLBACK TO SAVEPOINT \(quotedIdentifier(savepoint))")
  }

  /// Keeps everything since the savepoint and forgets it.
  public func release(_ savepoint: String) throws(PostgresError) {
    _ = try simple("RELEASE SAVEPOINT \(quotedIdentifier(savepoint))")
  }
}
