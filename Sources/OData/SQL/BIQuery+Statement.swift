import Postgres

extension BIQuery {
  /// The rows, in one statement.
  var rows: Query {
    let limit: Query = limit.map { "LIMIT \($0)" } ?? ""
    let offset: Query = skip > 0 ? "OFFSET \(skip)" : ""
    return "SELECT \(Self.list(columns)) FROM \(source) AS t \(Self.sorted(order)) \(limit) \(offset)"
  }

  /// How many rows there are before `skip` and `limit`.
  var count: Query { "SELECT count(*) FROM \(source) AS t" }

  private var source: Query {
    steps.reduce("bi.\(identifier: view.rawValue)" as Query) { source, step in
      switch step {
      case .filter(let condition): return "(SELECT * FROM \(source) AS t WHERE \(condition.sql))"
      case .group(let columns, let aggregates): return "(\(Self.grouped(source, columns, aggregates)))"
      case .top(let limit, let column, let within, let key):
        let order = Self.sorted([Order(column, isDescending: true)] + key.map { Order($0) })
        guard !within.isEmpty else { return "(SELECT * FROM \(source) AS t \(order) LIMIT \(limit))" }
        return """
          (SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY \(Self.list(within)) \(order)) AS position_in_group
                          FROM \(source) AS t) AS t WHERE position_in_group <= \(limit))
          """
      }
    }
  }

  private static func grouped(_ source: Query, _ columns: [BIColumn], _ aggregates: [BIAggregate]) -> Query {
    let computed = aggregates.map { aggregate -> Query in
      let name = aggregate.result.identifier
      guard let function = aggregate.function, let column = aggregate.column else {
        return "count(*) AS \(identifier: name)"
      }
      let operand: Query = "t.\(identifier: column.identifier)"
      // By bytes, as everywhere.
      let text = column.type == .text ? " COLLATE \"C\"" : ""
      switch function {
      case .sum: return "sum(\(operand))::bigint AS \(identifier: name)"
      case .min: return "min(\(operand)\(unescaped: text)) AS \(identifier: name)"
      case .max: return "max(\(operand)\(unescaped: text)) AS \(identifier: name)"
      case .countDistinct: return "count(DISTINCT \(operand)) AS \(identifier: name)"
      }
    }
    let shown = columns.map { "t.\(identifier: $0.identifier)" as Query } + computed
    let groups: Query = columns.isEmpty ? "" : "GROUP BY \(list(columns))"
    return "SELECT \(joined(shown)) FROM \(source) AS t \(groups)"
  }

  private static func sorted(_ order: [Order]) -> Query {
    guard !order.isEmpty else { return "" }
    let parts = order.map { order -> Query in
      let collation = order.column.type == .text ? " COLLATE \"C\"" : ""
      // Only where it matters: an index knows no other order of nulls than its own.
      let nulls = order.column.isNullable ? (order.isDescending ? " NULLS LAST" : " NULLS FIRST") : ""
      let direction = order.isDescending ? " DESC" : ""
      return "t.\(identifier: order.column.identifier)\(unescaped: collation + direction + nulls)"
    }
    return "ORDER BY \(joined(parts))"
  }

  private static func list(_ columns: [BIColumn]) -> Query {
    joined(columns.map { "t.\(identifier: $0.identifier)" })
  }

  private static func joined(_ parts: [Query]) -> Query {
    guard let first = parts.first else { return "" }
    return parts.dropFirst().reduce(first) { "\($0), \($1)" }
  }
}
