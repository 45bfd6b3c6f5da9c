import Counting
import Postgres

extension BIExpression {
  /// The expression as SQL over the columns of `t`; every value is an argument.
  var sql: Query {
    switch self {
    case .column(let column): "t.\(identifier: column.identifier)"
    case .value(let value): value.sql
    case .compare(let comparison, let left, let right): Self.comparison(comparison, left, right)
    case .isIn(let operand, let values): Self.isIn(operand, values)
    case .match(.contains, let text, let part): "strpos(\(text.sql), \(part.sql)) > 0"
    case .match(.startsWith, let text, let part): "starts_with(\(text.sql), \(part.sql))"
    case .match(.endsWith, let text, let part):
      "right(\(text.sql), length(\(part.sql))) = \(part.sql)"
    case .all(let parts): Self.join(parts.map(\.sql), "AND", empty: "true")
    case .any(let parts): Self.join(parts.map(\.sql), "OR", empty: "false")
    case .not(let part): "NOT (\(part.sql))"
    }
  }

  private static func join(_ parts: [Query], _ word: String, empty: Query) -> Query {
    guard let first = parts.first else { return empty }
    return parts.dropFirst().reduce("(\(first))" as Query) { "\($0) \(unescaped: word) (\($1))" }
  }

  /// Where neither side can be null, SQL's own operators, which indexes understand.
  private static func comparison(_ comparison: BIComparison, _ left: BIExpression, _ right: BIExpression)
    -> Query
  {
    let collation = left.isText || right.isText ? " COLLATE \"C\"" : ""
    func sql(_ symbol: String) -> Query {
      "\(left.operand) \(unescaped: symbol) \(right.operand)\(unescaped: collation)"
    }
    let mayBeNull = (left.mayBeNull, right.mayBeNull)
    switch comparison {
    case .equal where mayBeNull == (true, true): return sql("IS NOT DISTINCT FROM")
    case .notEqual where mayBeNull != (false, false): return sql("IS DISTINCT FROM")
    default:
      let plain = sql(symbols[comparison] ?? "=")
      let isTrue: Query = "(\(plain)) IS TRUE"
      return mayBeNull == (false, false) ? plain : isTrue
    }
  }

  private static let symbols: [BIComparison: String] = [
    .equal: "=", .notEqual: "<>", .less: "<", .lessOrEqual: "<=", .greater: ">", .greaterOrEqual: ">=",
  ]

  /// One argument, however many values there are.
  private static func isIn(_ operand: BIExpression, _ values: [BIValue]) -> Query {
    let numbers = values.compactMap { if case .int64(let number) = $0 { number } else { nil } }
    let texts = values.compactMap { if case .text(let text) = $0 { text } else { nil } }
    let times = values.compactMap { if case .timestamp(let time) = $0 { time.microseconds } else { nil } }
    let others = values.filter { $0 == .null || $0 == .bool(true) || $0 == .bool(false) }
    var parts = Set(others).map { comparison(.equal, operand, .value($0)) }
    func add(_ isOne: Query) {
      let isTrue: Query = "(\(isOne)) IS TRUE"
      parts.append(operand.mayBeNull ? isTrue : isOne)
    }
    if !numbers.isEmpty { add("\(operand.operand) = ANY (\(numbers))") }
    if !texts.isEmpty { add("\(operand.operand) = ANY (\(texts))") }
    if !times.isEmpty { add("\(operand.operand) = ANY (\(timestamps: times))") }
    return join(parts, "OR", empty: "false")
  }

  /// As a side of an operator.
  private var operand: Query {
    switch self {
    case .column, .value: sql
    default: "(\(sql))"
    }
  }

  private var mayBeNull: Bool {
    switch self {
    case .column(let column): column.isNullable
    case .value(let value): value == .null
    case .compare, .isIn: false
    case .match(_, let text, let part): text.mayBeNull || part.mayBeNull
    case .all(let parts), .any(let parts): parts.contains(where: \.mayBeNull)
    case .not(let part): part.mayBeNull
    }
  }

  private var isText: Bool {
    switch self {
    case .column(let column): column.type == .text
    case .value(.text): true
    default: false
    }
  }
}

extension BIValue {
  /// With its type, which PostgreSQL cannot always infer from the context. (`null` alone has none: it takes that of the
  /// other side.)
  fileprivate var sql: Query {
    switch self {
    case .null: "NULL"
    case .bool(let value): "\(value)::boolean"
    case .int64(let value): "\(value)::bigint"
    case .text(let value): "\(value)::text"
    case .timestamp(let value): "\(timestamp: value.microseconds)::timestamptz"
    }
  }
}
