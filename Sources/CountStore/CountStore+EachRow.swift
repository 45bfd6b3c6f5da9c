import Postgres

extension CountStore {
  /// Hands over the rows of a statement one at a time, with their numbers from 0 on.
  ///
  /// - Throws: `CountStoreError`, or the body's error.
  func eachRow(
    of query: Query,
    _ body: (_ row: borrowing QueryResult, _ number: Int) throws -> Void
  ) throws {
    do {
      var rows = try connection.rows(of: query)
      var number = 0
      while let row = try rows.next() {
        try body(row, number)
        number += 1
      }
    } catch let error as PostgresError {
      throw CountStoreError.postgres(error)
    }
  }
}
