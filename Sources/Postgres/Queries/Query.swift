/// SQL and its arguments, kept apart: every interpolated value becomes a `$n` placeholder, never text.
///
/// ```swift
/// let query: Query = "SELECT item_name FROM item WHERE item_id = ANY(\(ids))"
/// ```
public struct Query: Sendable, ExpressibleByStringInterpolation, CustomStringConvertible {
  /// The statement with `$1`, `$2`, … where the arguments stand.
  public private(set) var sql: String
  /// The arguments, in the placeholders' order.
  public private(set) var values: [Value]
  /// Where each placeholder starts and ends in the SQL's UTF-8, so that a query can be put inside another.
  private var placeholders: [Range<Int>]

  /// SQL that already has its placeholders. Such a query cannot be interpolated into another if it has
  /// arguments.
  public init(sql: String, _ values: [Value] = []) {
    self.sql = sql
    self.values = values
    placeholders = []
  }

  /// A statement without arguments.
  public init(stringLiteral value: String) {
    self.init(sql: value)
  }

  /// Takes what the compiler made of an interpolated literal.
  public init(stringInterpolation: StringInterpolation) {
    self = stringInterpolation.query
  }

  /// The SQL without the arguments.
  public var description: String { sql }

  mutating func append(literal: String) {
    sql += literal
  }

  mutating func append(_ value: Value) {
    let start = sql.utf8.count
    values.append(value)
    sql += "$\(values.count)"
    placeholders.append(start..<sql.utf8.count)
  }

  /// Puts another query's text here, its placeholders renumbered.
  mutating func append(_ other: Query) {
    precondition(
      other.placeholders.count == other.values.count,
      "a query made of raw SQL and arguments cannot be interpolated: \(other.sql)"
    )
    let text = other.sql.utf8
    var rest = text.startIndex
    for (placeholder, value) in zip(other.placeholders, other.values) {
      let start = text.index(text.startIndex, offsetBy: placeholder.lowerBound)
      sql += other.sql[rest..<start]
      append(value)
      rest = text.index(text.startIndex, offsetBy: placeholder.upperBound)
    }
    sql += other.sql[rest...]
  }
}
