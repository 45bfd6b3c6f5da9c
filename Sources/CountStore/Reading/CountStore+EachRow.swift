import Postgres

extension CountStore {
  /// Hands over the rows of a statement one at a time, with their numbers from 0 on.
  ///
  /// - Parameter maximumRows: how many are handed over; the statement gives one more, which is the error. It is read to
  ///   its end all the same, so that the connection lives on.
  /// - Throws: `CountStoreError`, or the body's error.
  func eachRow(
    of query: Query,
    maximumRows: Int,
    _ body: (_ row: borrowing QueryResult, _ number: Int) throws -> Void
  ) throws {
    do {
      var rows = try connection.rows(of: query)
      var number = 0
      while let row = try rows.next() {
        if number < maximumRows { try body(row, number) }
        number += 1
      }
      guard number <= maximumRows else { throw CountStoreError.tooManyRows(limit: maximumRows) }
    } catch let error as PostgresError {
      throw CountStoreError.postgres(error)
    }
  }

  /// The `LIMIT` of a statement that is to have one row too many, if there are more than may be.
  static func limit(_ maximumRows: Int) -> Int64 {
    maximumRows < .max ? Int64(maximumRows) + 1 : .max
  }
}
