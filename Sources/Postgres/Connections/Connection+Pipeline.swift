import CLibpq

/// Several statements in one round trip (libpq's pipeline mode, PostgreSQL documentation 34.5).
///
/// The server runs them one after the other, and each sees what is committed when it begins, as if they had been sent
/// one by one. Behind one that fails, none is run.
extension Connection {
  /// Runs statements and returns all their results.
  ///
  /// - Throws: what the first one that fails throws.
  public func pipeline(_ queries: [Query]) throws(PostgresError) -> PipelineResults {
    try pipeline(before: nil, queries, after: nil)
  }

  /// Starts a transaction with these statements. If one of them fails, the transaction is open, failed.
  ///
  /// - Throws: as ``begin(isolation:readOnly:)`` and ``execute(_:)``.
  public func begin(running queries: [Query]) throws(PostgresError) -> PipelineResults {
    let sql = Self.beginStatement(.readCommitted, readOnly: false)
    try refuseOpenTransaction(sql)
    return try pipeline(before: sql, queries, after: nil)
  }

  /// Ends a transaction with these statements and COMMIT, which the server does not run if one of them fails.
  /// Afterwards no transaction is open, whatever happened.
  ///
  /// - Throws: as ``execute(_:)`` and ``commit()``; also `.commitUnknown`, unless the server says that it ended
  ///   before it came to COMMIT.
  public func commit(running queries: [Query]) throws(PostgresError) -> PipelineResults {
    try requireTransaction()
    do {
      let results = try pipeline(before: nil, queries, after: "COMMIT")
      try requireCommitted(results.lastTag)
      return results
    } catch {
      if error.kind == .connection { close() } else { rollback() }
      let isKnown = error.kind != .connection || error.sqlState != nil && error.sql != "COMMIT"
      throw isKnown ? error : error.with(kind: .commitUnknown)
    }
  }

  private func pipeline(before: String?, _ queries: [Query], after: String?) throws(PostgresError)
    -> PipelineResults
  {
    // `handle` is read again each time: it is gone once a response has taken too long.
    guard handle != nil else { throw .closed(sql: queries.first?.sql) }
    precondition(queries.count <= statements.capacity, "preparing one would drop another")
    // Preparing takes a response, so it comes first.
    var prepared: [PreparedStatement] = []
    for query in queries { prepared.append(try prepare(query)) }
    guard PQenterPipelineMode(handle) == 1 else {
      throw PostgresError(handle: handle, sql: queries.first?.sql)
    }
    var sent: [String] = []
    var failure: PostgresError?
    do {
      if let before { try sendUnprepared(before, &sent) }
      for (query, statement) in zip(queries, prepared) {
        try encode(query)
        try require(send(statement), query.sql)
        sent.append(query.sql)
      }
      if let after { try sendUnprepared(after, &sent) }
    } catch {
      // The server waits for the end of the pipeline, whatever else does not come.
      failure = error
    }
    guard isConnected, PQpipelineSync(handle) == 1 else {
      defer { close() }
      throw failure ?? .outOfStep(handle, sql: sent.last)
    }
    let results = PipelineResults(sent)
    do throws(PostgresError) {
      try results.receive(from: self)
      guard PQexitPipelineMode(handle) == 1 else { throw .outOfStep(handle, sql: sent.last) }
    } catch {
      let hasLeft = PQpipelineStatus(handle) == PQ_PIPELINE_OFF || PQexitPipelineMode(handle) == 1
      if error.kind == .connection || !hasLeft { close() }
      if error.isStalePlan, let stale = prepared.first(where: { $0.key.sql == error.sql }) {
        forget(stale)
      }
      throw failure ?? error
    }
    if let failure { throw failure }
    return results
  }

  private func sendUnprepared(_ sql: String, _ sent: inout [String]) throws(PostgresError) {
    try require(PQsendQueryParams(handle, sql, 0, nil, nil, nil, nil, 1), sql)
    sent.append(sql)
  }

  private func require(_ code: Int32, _ sql: String) throws(PostgresError) {
    if code != 1 { throw PostgresError(handle: handle, sql: sql) }
  }
}

/// The results of a pipeline.
public final class PipelineResults {
  private let statements: [String]
  /// nil where one has been handed out.
  private var results: [OpaquePointer?] = []

  init(_ statements: [String]) {
    self.statements = statements
  }

  deinit {
    for result in results { PQclear(result) }
  }

  /// Hands out the result of a statement, once; BEGIN is one, too.
  public func take(_ index: Int) -> QueryResult {
    guard let result = results[index] else { preconditionFailure("the result has been taken already") }
    results[index] = nil
    return QueryResult(result, sql: statements[index])
  }

  var lastTag: String {
    results.last.flatMap { $0 }.map { String(cString: PQcmdStatus($0)) } ?? ""
  }

  /// Reads up to the end of the pipeline, so that the connection is ready for the next statement whatever happened.
  func receive(from connection: Connection) throws(PostgresError) {
    var failed: (result: OpaquePointer, sql: String)?
    defer { PQclear(failed?.result) }
    reading: for sql in statements {
      while let result = try connection.nextResult(sql) {
        switch PQresultStatus(result) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: results.append(result)
        case PGRES_PIPELINE_ABORTED: PQclear(result)
        default:
          connection.closeIfLost(result)
          if failed == nil { failed = (result, sql) } else { PQclear(result) }
          // libpq has no more results of a connection that is lost.
          if !connection.isConnected { break reading }
        }
      }
    }
    if failed == nil || connection.isConnected {
      let end = try connection.nextResult(statements.last ?? "")
      defer { PQclear(end) }
      if PQresultStatus(end) != PGRES_PIPELINE_SYNC, failed == nil {
        throw .outOfStep(connection.handle, sql: statements.last)
      }
    }
    if let failed {
      throw connection.failure(failed.result, sql: failed.sql)
    }
  }
}

extension PostgresError {
  /// The server did not answer as it was asked. A session that is ended from outside between two responses looks like
  /// this before libpq has seen the end of the connection, so it is lost in any case.
  fileprivate static func outOfStep(_ handle: OpaquePointer?, sql: String?) -> PostgresError {
    PostgresError(handle: handle, sql: sql).with(kind: .connection)
  }
}
