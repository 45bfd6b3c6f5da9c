import CLibpq

/// The rows of one statement, in PostgreSQL's binary format. It owns libpq's memory and outlives the
/// connection.
///
/// A value that is NULL, of another type or out of range throws `.protocol`; a row or column that does not
/// exist is a mistake of ours and traps.
public struct QueryResult: ~Copyable {
  private let result: OpaquePointer
  private let sql: String
  /// Number of rows.
  public let count: Int
  /// Number of columns.
  public let columnCount: Int

  /// Takes ownership of the result.
  init(_ result: OpaquePointer, sql: String) {
    self.result = result
    self.sql = sql
    count = Int(PQntuples(result))
    columnCount = Int(PQnfields(result))
  }

  deinit {
    PQclear(result)
  }

  /// The columns' names.
  public var columns: [String] {
    (0..<columnCount).map { columnName($0) }
  }

  /// Rows inserted, updated, deleted, copied or selected, as the command tag says; 0 for other commands.
  public var affectedRows: Int {
    Int(String(cString: PQcmdTuples(result))) ?? 0
  }

  /// The command tag, e.g. `COMMIT`.
  var commandTag: String { String(cString: PQcmdStatus(result)) }

  /// Whether the value is NULL.
  public func isNull(_ row: Int, _ column: Int) -> Bool {
    check(row, column)
    return PQgetisnull(result, Int32(row), Int32(column)) == 1
  }

  /// The value's bytes as the server sent them, nil for NULL; valid as long as this result.
  func cell(_ row: Int, _ column: Int) -> UnsafeRawBufferPointer? {
    check(row, column)
    let (row, column) = (Int32(row), Int32(column))
    guard PQgetisnull(result, row, column) == 0 else { return nil }
    return UnsafeRawBufferPointer(
      start: PQgetvalue(result, row, column),
      count: Int(PQgetlength(result, row, column))
    )
  }

  func typeOID(_ column: Int) -> UInt32 {
    PQftype(result, Int32(column))
  }

  func unreadable(_ row: Int, _ column: Int, as type: String) -> PostgresError {
    PostgresError(
      .protocol,
      "column \(columnName(column)) of row \(row) (type oid \(typeOID(column))) cannot be read as \(type)",
      sql: sql
    )
  }

  func required<T>(_ value: T?, _ column: Int) throws(PostgresError) -> T {
    guard let value else {
      throw PostgresError(.protocol, "column \(columnName(column)) is NULL", sql: sql)
    }
    return value
  }

  private func columnName(_ column: Int) -> String {
    PQfname(result, Int32(column)).map { String(cString: $0) } ?? "\(column)"
  }

  /// libpq answers an index out of bounds with a warning on stderr and an empty value.
  private func check(_ row: Int, _ column: Int) {
    precondition(row >= 0 && row < count, "row out of bounds")
    precondition(column >= 0 && column < columnCount, "column out of bounds")
  }
}
