import Counting
import Postgres

extension Fate {
  /// SQL for each fate, separated by commas, in the order of `allCases`.
  static func list(_ sql: (_ fate: Fate, _ column: StaticString) -> Query) -> Query {
    var list: Query = ""
    for (index, fate) in allCases.enumerated() {
      list = index == 0 ? sql(fate, fate.column) : "\(list), \(sql(fate, fate.column))"
    }
    return list
  }

  /// The fates' columns: `counted, duplicates, …`.
  static var columns: Query { list { _, column in "\(unescaped: column.description)" } }

  /// The assignments of an UPDATE that adds the columns of one table to those of another.
  static func sums(of stored: StaticString, and added: StaticString) -> Query {
    list { _, column in
      "\(unescaped: "\(column) = \(stored).\(column) + \(added).\(column)")"
    }
  }
}

extension FateCounts {
  /// Reads the fates from a result's consecutive columns, as `Fate.columns` selects them.
  init(_ result: borrowing QueryResult, _ row: Int, from column: Int) throws(PostgresError) {
    self.init()
    for (index, fate) in Fate.allCases.enumerated() {
      self[fate] = Int(try result.int64(row, column + index))
    }
  }
}
