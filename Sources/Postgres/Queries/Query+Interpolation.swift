extension Query {
  /// Collects literals as SQL and values as arguments.
  public struct StringInterpolation: StringInterpolationProtocol {
    var query: Query

    /// Called by the compiler.
    public init(literalCapacity: Int, interpolationCount: Int) {
      query = Query(sql: "")
    }

    /// A piece of the SQL.
    public mutating func appendLiteral(_ literal: String) {
      query.append(literal: literal)
    }

    /// SQL that is put in as it is: names and keywords that the program chose, never data.
    public mutating func appendInterpolation(unescaped sql: String) {
      query.append(literal: sql)
    }

    /// A name, quoted.
    public mutating func appendInterpolation(identifier name: String) {
      query.append(literal: quotedIdentifier(name))
    }

    /// Another query, whose arguments are renumbered: for conditions that are put together.
    public mutating func appendInterpolation(_ other: Query) {
      query.append(other)
    }

    /// Any value.
    public mutating func appendInterpolation(_ value: Value) {
      query.append(value)
    }

    /// A `boolean`.
    public mutating func appendInterpolation(_ value: Bool) {
      query.append(.bool(value))
    }

    /// A `bigint`.
    public mutating func appendInterpolation(_ value: Int) {
      query.append(.int64(Int64(value)))
    }

    /// A `bigint`.
    public mutating func appendInterpolation(_ value: Int64) {
      query.append(.int64(value))
    }

    /// A `bigint` or NULL.
    public mutating func appendInterpolation(_ value: Int64?) {
      query.append(value.map(Value.int64) ?? .nullOf(.int64))
    }

    /// An `integer`.
    public mutating func appendInterpolation(_ value: Int32) {
      query.append(.int32(value))
    }

    /// An `integer` or NULL.
    public mutating func appendInterpolation(_ value: Int32?) {
      query.append(value.map(Value.int32) ?? .nullOf(.int32))
    }

    /// A `double precision`.
    public mutating func appendInterpolation(_ value: Double) {
      query.append(.double(value))
    }

    /// A `text`.
    public mutating func appendInterpolation(_ value: String) {
      query.append(.text(value))
    }

    /// A `text` or NULL.
    public mutating func appendInterpolation(_ value: String?) {
      query.append(value.map(Value.text) ?? .nullOf(.text))
    }

    /// A `bytea`.
    public mutating func appendInterpolation(_ value: [UInt8]) {
      query.append(.bytes(value))
    }

    /// A `bytea` or NULL.
    public mutating func appendInterpolation(_ value: [UInt8]?) {
      query.append(value.map(Value.bytes) ?? .nullOf(.bytes))
    }

    /// A `timestamptz`, microseconds since 1970-01-01T00:00:00Z.
    public mutating func appendInterpolation(timestamp value: Int64) {
      query.append(.timestamp(value))
    }

    /// A `timestamptz`, microseconds since 1970-01-01T00:00:00Z, or NULL.
    public mutating func appendInterpolation(timestamp value: Int64?) {
      query.append(value.map(Value.timestamp) ?? .nullOf(.timestamp))
    }

    /// A `timestamptz[]`, microseconds since 1970-01-01T00:00:00Z.
    public mutating func appendInterpolation(timestamps values: [Int64]) {
      query.append(.timestampArray(values))
    }

    /// A `bigint[]`.
    public mutating func appendInterpolation(_ values: [Int64]) {
      query.append(.int64Array(values))
    }

    /// An `integer[]`.
    public mutating func appendInterpolation(_ values: [Int32]) {
      query.append(.int32Array(values))
    }

    /// A `text[]`.
    public mutating func appendInterpolation(_ values: [String]) {
      query.append(.textArray(values))
    }

    /// A `text[]` with NULL elements.
    public mutating func appendInterpolation(_ values: [String?]) {
      query.append(.optionalTextArray(values))
    }

    /// A `bytea[]`.
    public mutating func appendInterpolation(_ values: [[UInt8]]) {
      query.append(.bytesArray(values))
    }
  }
}

/// A name between double quotes, quotes inside doubled (PostgreSQL documentation, 4.1.1).
func quotedIdentifier(_ name: String) -> String {
  var text = "\""
  for scalar in name.unicodeScalars {
    if scalar == "\"" { text.unicodeScalars.append(scalar) }
    text.unicodeScalars.append(scalar)
  }
  return text + "\""
}
