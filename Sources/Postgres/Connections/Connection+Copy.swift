import CLibpq

extension Connection {
  /// Runs `COPY … FROM STDIN (FORMAT binary)`, fed by the body; the number of rows copied.
  ///
  /// Whatever fails, the COPY is ended and the connection can be used again; inside a transaction it must then
  /// be rolled back, at least to a savepoint. If the body throws, the COPY is aborted and the body's
  /// error is passed on.
  ///
  /// - Parameter meanwhile: what this side can do while the server works on what has been sent.
  /// - Throws: `.server` (e.g. SQLSTATE 23505), `.connection`, `.value`, or the body's error.
  @discardableResult
  public func copyIn(
    _ sql: String,
    meanwhile: () -> Void = {},
    _ body: (inout CopyIn) throws(PostgresError) -> Void
  ) throws(PostgresError) -> Int {
    guard let handle else { throw .closed(sql: sql) }
    try refuseNUL(in: sql)
    guard PQsendQuery(handle, sql) == 1 else { throw PostgresError(handle: handle, sql: sql) }
    try enterCopy(sql)
    var copy = CopyIn(.connection(handle), sql: sql)
    do {
      try body(&copy)
      try copy.finish()
    } catch {
      throw abandonCopy(sql, because: error)
    }
    // On failure the reason comes with the results, as after a failed send.
    guard PQputCopyEnd(handle, nil) == 1 else {
      throw abandonCopy(sql, because: PostgresError(handle: handle, sql: sql))
    }
    meanwhile()
    return try collect(sent: 1, sql: sql).affectedRows
  }

  /// Waits for the server to ask for data.
  private func enterCopy(_ sql: String) throws(PostgresError) {
    guard let first = try nextResult(sql) else { throw PostgresError(handle: handle, sql: sql) }
    defer { PQclear(first) }
    let isCopyIn = PQresultStatus(first) == PGRES_COPY_IN
    if isCopyIn, PQbinaryTuples(first) == 1 { return }
    if PQresultStatus(first) == PGRES_FATAL_ERROR {
      closeIfLost(first)
      _ = try? collect(sent: 1, sql: sql)
      throw failure(first, sql: sql)
    }
    if PQresultStatus(first) != PGRES_COMMAND_OK, PQresultStatus(first) != PGRES_TUPLES_OK {
      leaveCopy(isIn: isCopyIn)
    }
    _ = try? collect(sent: 1, sql: sql)
    throw PostgresError(.protocol, "copyIn needs COPY … FROM STDIN (FORMAT binary)", sql: sql)
  }

  /// Ends the COPY from this side. If the connection broke, the server's word on why is worth more than the
  /// failed send.
  private func abandonCopy(_ sql: String, because error: PostgresError) -> PostgresError {
    if PQputCopyEnd(handle, "abandoned by the client") != 1, isConnected {
      close()
      return error
    }
    do {
      _ = try collect(sent: 1, sql: sql)
    } catch let reported {
      if error.kind == .connection { return reported }
    }
    return error
  }
}
