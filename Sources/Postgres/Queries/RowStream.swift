import CLibpq

/// The rows of one statement, read one at a time while the server still sends them (libpq's single-row mode), so that
/// memory does not grow with their number.
///
/// Given up before its end, it ends the statement and closes the connection: what the server has sent already would
/// have to be read, however long it is, and a cancel request that comes too late would meet the next statement.
public struct RowStream: ~Copyable {
  private let connection: Connection
  private let sql: String
  /// Read ahead, so that what is wrong with the statement is known before anything is made of its rows.
  private var first: QueryResult?
  private var isAtEnd = false

  /// The statement has just been sent.
  init(_ connection: Connection, sql: String) throws(PostgresError) {
    self.connection = connection
    self.sql = sql
    guard PQsetSingleRowMode(connection.handle) == 1 else {
      connection.close()
      throw PostgresError(.connection, "the rows cannot be read one at a time", sql: sql)
    }
    first = try receive()
  }

  deinit {
    guard !isAtEnd else { return }
    try? connection.canceller.cancel()
    connection.close()
  }

  /// The next row, as the only one (row 0) of its result; nil behind the last one, and from then on.
  ///
  /// - Throws: `.server` or `.connection` when the response broke off: then the rows read so far are not all, and no
  ///   more come.
  public mutating func next() throws(PostgresError) -> QueryResult? {
    if let row = first.take() { return row }
    return isAtEnd ? nil : try receive()
  }

  private mutating func receive() throws(PostgresError) -> QueryResult? {
    guard let handle = connection.handle else {
      isAtEnd = true
      throw .closed(sql: sql)
    }
    let result: OpaquePointer?
    do {
      result = try connection.nextResult(sql)
    } catch {
      isAtEnd = true
      throw error
    }
    if let result, PQresultStatus(result) == PGRES_SINGLE_TUPLE { return QueryResult(result, sql: sql) }
    isAtEnd = true
    guard let result else { throw PostgresError(handle: handle, sql: sql) }
    // What comes instead of a row is the end: the command tag, or why it broke off. Nothing but its end is behind it.
    switch PQresultStatus(result) {
    case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
      PQclear(result)
      connection.close()
      throw PostgresError(.protocol, "COPY has no rows to be read", sql: sql)
    default:
      _ = try connection.collect(next: result, sql: sql)
      return nil
    }
  }
}
