import Testing

@testable import Postgres

@Suite("Query")
struct QueryTests {
  @Test("interpolated values become numbered placeholders")
  func placeholders() {
    let name = "x'; DROP TABLE item; --"
    let query: Query = "SELECT * FROM item WHERE item_name = \(name) AND item_id = ANY(\([1, 2] as [Int64]))"
    #expect(query.sql == "SELECT * FROM item WHERE item_name = $1 AND item_id = ANY($2)")
    #expect(query.values == [.text(name), .int64Array([1, 2])])
    #expect(query.description == query.sql)
  }

  @Test("each type of value is bound with its own PostgreSQL type")
  func types() {
    let query: Query = """
      \(true) \(1) \(Int64(2)) \(Int32(3)) \(1.5) \("text") \([1, 2] as [UInt8]) \(timestamp: 7) \
      \(timestamps: [8]) \([4] as [Int32]) \(["a"]) \(["a", nil]) \([[1], []] as [[UInt8]]) \(Value.null)
      """
    #expect(
      query.values == [
        .bool(true), .int64(1), .int64(2), .int32(3), .double(1.5), .text("text"), .bytes([1, 2]),
        .timestamp(7), .timestampArray([8]), .int32Array([4]), .textArray(["a"]),
        .optionalTextArray(["a", nil]), .bytesArray([[1], []]), .null,
      ]
    )
    #expect(
      query.values.map(\.typeOID) == [
        16, 20, 20, 23, 701, 25, 17, 1184, 1185, 1007, 1009, 1009, 1001, 0,
      ]
    )
  }

  @Test("nil keeps the type of the optional, so that NULL does not make another statement")
  func typedNulls() {
    let query: Query = """
      \(nil as Int64?) \(nil as Int32?) \(nil as String?) \(nil as [UInt8]?) \(timestamp: nil as Int64?)
      """
    #expect(query.values.map(\.typeOID) == [20, 23, 25, 17, 1184])
    let some: Query =
      "\(1 as Int64?) \(2 as Int32?) \("x" as String?) \([3] as [UInt8]?) \(timestamp: 4 as Int64?)"
    #expect(some.values.map(\.typeOID) == query.values.map(\.typeOID))
  }

  @Test("a query inside a query brings its arguments, renumbered")
  func nesting() {
    let condition: Query = "a = \(1) AND b = '$1' AND c = \("é")"
    let query: Query = "SELECT 'ü', \(7) WHERE (\(condition)) OR (\(condition)) LIMIT \(9)"
    #expect(
      query.sql
        == "SELECT 'ü', $1 WHERE (a = $2 AND b = '$1' AND c = $3) OR (a = $4 AND b = '$1' AND c = $5) LIMIT $6"
    )
    #expect(query.values == [.int64(7), .int64(1), .text("é"), .int64(1), .text("é"), .int64(9)])
  }

  @Test(
    "names are quoted, quotes doubled",
    arguments: [("plain", "\"plain\""), ("two words", "\"two words\""), ("a\"b", "\"a\"\"b\""), ("", "\"\"")]
  )
  func identifiers(name: String, quoted: String) {
    let query: Query = "SELECT * FROM \(identifier: name)"
    #expect(query.sql == "SELECT * FROM " + quoted)
  }

  @Test("unescaped text goes into the SQL as it is")
  func unescaped() {
    let query: Query = "SELECT 1 ORDER BY \(unescaped: "a DESC")"
    #expect(query.sql == "SELECT 1 ORDER BY a DESC")
    #expect(query.values.isEmpty)
  }
}
