import CountStore
import Counting
import Postgres

/// The rows of one query, read one at a time while the database still sends them.
public struct BIRows {
  /// How many rows there are before `skip` and `limit`; nil if it was not asked.
  public let count: Int64?
  /// The next row's values in the order of the query's columns; nil behind the last one.
  public let next: () throws(CountStoreError) -> [BIValue]?

  /// Rows from anywhere.
  public init(count: Int64?, next: @escaping () throws(CountStoreError) -> [BIValue]?) {
    self.count = count
    self.next = next
  }
}

extension CountStore {
  /// Answers one query from one snapshot.
  ///
  /// - Parameter body: takes the rows; what it leaves is not read.
  /// - Throws: `CountStoreError` when the query failed at once; later failures are thrown by the rows.
  public func read(_ query: BIQuery, _ body: (BIRows) -> Void) throws(CountStoreError) {
    do throws(PostgresError) {
      // One statement is one snapshot; two need a transaction.
      guard query.isCounted else { return try pass(query, count: nil, to: body) }
      try connection.begin(isolation: .repeatableRead, readOnly: true)
      // Nothing was written that could be committed.
      defer { connection.rollback() }
      try pass(query, count: try connection.execute(query.count).int64(0, 0), to: body)
    } catch {
      throw .postgres(error)
    }
  }

  private func pass(_ query: BIQuery, count: Int64?, to body: (BIRows) -> Void) throws(PostgresError) {
    var stream = try connection.rows(of: query.rows)
    let columns = query.columns
    body(
      BIRows(count: count) { () throws(CountStoreError) in
        do throws(PostgresError) {
          guard let row = try stream.next() else { return nil }
          return try Self.values(of: row, columns)
        } catch {
          throw .postgres(error)
        }
      }
    )
  }

  private static func values(of row: borrowing QueryResult, _ columns: [BIColumn]) throws(PostgresError)
    -> [BIValue]
  {
    var values: [BIValue] = []
    values.reserveCapacity(columns.count)
    for (index, column) in columns.enumerated() {
      if row.isNull(0, index) {
        values.append(.null)
        continue
      }
      switch column.type {
      case .int64, .int32: values.append(.int64(try row.int64(0, index)))
      case .text: values.append(.text(try row.string(0, index)))
      case .timestamp: values.append(.timestamp(Timestamp(microseconds: try row.timestamp(0, index))))
      }
    }
    return values
  }
}
