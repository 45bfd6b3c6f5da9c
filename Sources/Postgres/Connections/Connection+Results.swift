import CLibpq
import Glibc

/// Waiting for libpq's results.
extension Connection {
  /// Runs SQL in the simple protocol; the last statement's result, in text format.
  func simple(_ sql: String) throws(PostgresError) -> QueryResult {
    guard let handle else { throw .closed(sql: sql) }
    try refuseNUL(in: sql)
    return try collect(sent: PQsendQuery(handle, sql), sql: sql)
  }

  /// Reads everything that answers what was just sent, so that the connection is ready for the next statement
  /// whatever happened. The first error wins: a FATAL comes before libpq's own "closed unexpectedly".
  func collect(sent: Int32, sql: String) throws(PostgresError) -> QueryResult {
    guard sent == 1 else { throw PostgresError(handle: handle, sql: sql) }
    return try collect(next: nextResult(sql), sql: sql)
  }

  /// As above, from a result on that has been taken already.
  func collect(next: OpaquePointer?, sql: String) throws(PostgresError) -> QueryResult {
    var next = next
    var last: OpaquePointer?
    var failed: OpaquePointer?
    var isHandedOut = false
    defer {
      PQclear(failed)
      if !isHandedOut { PQclear(last) }
    }
    while let result = next {
      switch PQresultStatus(result) {
      case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
        let isIn = PQresultStatus(result) == PGRES_COPY_IN
        PQclear(result)
        leaveCopy(isIn: isIn)
      case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY, PGRES_SINGLE_TUPLE:
        PQclear(last)
        last = result
      default:
        closeIfLost(result)
        if failed == nil { failed = result } else { PQclear(result) }
      }
      next = try nextResult(sql)
    }
    if let failed {
      throw failure(failed, sql: sql)
    }
    guard let last else { throw PostgresError(handle: handle, sql: sql) }
    isHandedOut = true
    return QueryResult(last, sql: sql)
  }

  /// The failure in a result. One that belongs to the session makes the connection unusable.
  func failure(_ result: OpaquePointer, sql: String?) -> PostgresError {
    let error = PostgresError(result: result, sql: sql, isBroken: !isConnected)
    if error.remedy == .renewSession { needsRenewal = true }
    return error
  }

  /// Only the server gives a failure its SQLSTATE. Without one it is libpq that can send or read no more, and of a
  /// write that failed it reports before `PQstatus` does.
  func closeIfLost(_ failed: OpaquePointer) {
    if PQresultErrorField(failed, Int32(UInt8(ascii: "C"))) == nil { close() }
  }

  /// The next result, nil behind the last one; waits no longer than the response's time limit for each piece of it.
  func nextResult(_ sql: String) throws(PostgresError) -> OpaquePointer? {
    while answerTimeout >= 0, PQisBusy(handle) == 1 {
      var descriptor = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
      let count = poll(&descriptor, 1, answerTimeout)
      if count == 0 {
        close()
        throw PostgresError(
          .connection,
          "the server did not answer within \(answerTimeout / 1000) s",
          sql: sql
        )
      }
      // The result carries the error.
      if count > 0, PQconsumeInput(handle) != 1 { break }
    }
    return PQgetResult(handle)
  }

  /// Ends a COPY that is not fed or read any more, so that `PQgetResult` comes to an end. Where that fails, the
  /// connection is closed.
  func leaveCopy(isIn: Bool) {
    if isIn {
      if PQputCopyEnd(handle, "not expected here") != 1 { close() }
      return
    }
    var row: UnsafeMutablePointer<CChar>?
    while PQgetCopyData(handle, &row, 0) > 0 { PQfreemem(row) }
    if !isConnected { close() }
  }

  /// Looks, without waiting, whether the server has hung up on an idle connection.
  func noticesHangUp() -> Bool {
    guard isConnected else { return true }
    var descriptor = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
    // Each turn takes what has arrived (notifications, a FATAL); the end of the stream comes last.
    for _ in 0..<64 {
      guard poll(&descriptor, 1, 0) > 0 else { return false }
      guard PQconsumeInput(handle) == 1 else { return true }
      _ = PQisBusy(handle)
      guard isConnected else { return true }
    }
    return false
  }

  /// SQL goes to libpq as a C string: what follows a NUL would silently be lost.
  func refuseNUL(in sql: String) throws(PostgresError) {
    guard !sql.utf8.contains(0) else {
      throw PostgresError(.value, "the SQL contains a NUL character", sql: sql)
    }
  }
}
