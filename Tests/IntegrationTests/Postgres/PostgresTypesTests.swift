import Postgres
import TestSupport
import Testing

@Suite("PostgreSQL types")
struct PostgresTypesTests {
  @Test("integers make the round trip, also those that a double cannot hold")
  func integers() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      for value in [Int64.min, .min + 1, -1, 0, 1, (1 << 53) + 1, .max] {
        let result = try connection.execute("SELECT \(value), \(value)::text, \(value)::numeric")
        #expect(try result.int64(0, 0) == value)
        #expect(try result.string(0, 1) == "\(value)")
        #expect(try result.int64(0, 2) == value)
      }
      for value in [Int32.min, -1, 0, .max] {
        let result = try connection.execute("SELECT \(value), \(value)::bigint")
        #expect(try result.int32(0, 0) == value)
        #expect(try result.int64(0, 0) == Int64(value))
        #expect(try result.int32(0, 1) == value)
      }
    }
  }

  @Test("a sum of bigints, which is numeric, is read as an integer; a fraction is not")
  func numeric() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      let sum = try connection.execute(
        "SELECT sum(x) FROM unnest(\([1 << 60, 1, 20_000] as [Int64])) AS t (x)"
      )
      #expect(try sum.int64(0, 0) == (1 << 60) + 20_001)
      let fraction = try connection.execute(
        "SELECT 1.5::numeric, 9223372036854775808::numeric, 'NaN'::numeric"
      )
      for column in 0..<3 {
        let error = #expect(throws: PostgresError.self) { try fraction.int64(0, column) }
        #expect(error?.kind == .protocol)
      }
    }
  }

  @Test("texts and bytes make the round trip: empty, large, not ASCII")
  func textAndBytes() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      let large = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0) }
      for bytes in [[], [0], [255, 0, 92], large] as [[UInt8]] {
        let result = try connection.execute("SELECT \(bytes), length(\(bytes))")
        #expect(try result.bytes(0, 0) == bytes)
        #expect(try result.withBytes(0, 0) { $0?.count } == bytes.count)
        #expect(try result.int64(0, 1) == Int64(bytes.count))
      }
      for text in ["", "é", "e\u{301}", "'\\\"$1", "日本語🎥", String(repeating: "ü", count: 1_000_000)] {
        let result = try connection.execute("SELECT \(text), convert_to(\(text), 'UTF8')")
        #expect(try Array(result.string(0, 0).utf8) == Array(text.utf8))
        #expect(try result.bytes(0, 1) == Array(text.utf8))
      }
    }
  }

  @Test("a NUL in a text is the data's fault, and the connection lives on")
  func nulInText() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      let error = #expect(throws: PostgresError.self) { _ = try connection.execute("SELECT \("a\0b")") }
      #expect(error?.sqlState?.rawValue == "22021")
      #expect(error?.remedy == .refuseMessage)
      #expect(try connection.execute("SELECT 1").int64(0, 0) == 1)
    }
  }

  @Test(
    "times make the round trip to the microsecond, before 1970 and before 2000 too",
    arguments: [
      (0, "1970-01-01 00:00:00+00"), (-1, "1969-12-31 23:59:59.999999+00"),
      (946_684_799_999_999, "1999-12-31 23:59:59.999999+00"),
      (1_793_491_200_123_456, "2026-11-01 00:00:00.123456+00"),
      (-62_135_596_800_000_000, "0001-01-01 00:00:00+00"),
      (253_402_300_799_999_999, "9999-12-31 23:59:59.999999+00"),
    ] as [(Int64, String)]
  )
  func times(microseconds: Int64, text: String) throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      let result = try connection.execute(
        "SELECT \(timestamp: microseconds), \(timestamp: microseconds)::text, \(timestamp: microseconds)::timestamp"
      )
      #expect(try result.timestamp(0, 0) == microseconds)
      #expect(try result.string(0, 1) == text)
      #expect(try result.timestamp(0, 2) == microseconds)
    }
  }

  @Test("infinity cannot be read as a time, and times beyond PostgreSQL's range are the data's fault")
  func timesOutOfRange() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      let result = try connection.execute("SELECT 'infinity'::timestamptz, '-infinity'::timestamptz")
      for column in 0..<2 { #expect(throws: PostgresError.self) { try result.timestamp(0, column) } }
      for time in [Int64.min, .min + 946_684_800_000_001, -400_000_000_000_000_000] as [Int64] {
        let error = #expect(throws: PostgresError.self) {
          _ = try connection.execute("SELECT \(timestamp: time)")
        }
        #expect(error?.sqlState == .datetimeFieldOverflow)
        #expect(error?.remedy == .refuseMessage)
      }
    }
  }

  @Test("arrays make the round trip: empty, large, with NULL")
  func arrays() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      let many = (0..<100_000).map { Int64($0) * 1_000_003 }
      for numbers in [[], [7], [.min, .max], many] as [[Int64]] {
        let result = try connection.execute("SELECT \(numbers), cardinality(\(numbers))")
        #expect(try result.int64Array(0, 0) == numbers)
        #expect(try result.int64(0, 1) == Int64(numbers.count))
      }
      let result = try connection.execute(
        """
        SELECT \([1, -1] as [Int32]), \(["", "é", "a,b"]), \(["a", nil])::text, \([] as [String])::text,
               encode((\([[1, 2], []] as [[UInt8]]))[1], 'hex'), (\(timestamps: [-1, 0]))[1],
               ARRAY[NULL]::bigint[], ARRAY[[1]]
        """
      )
      #expect(try result.int64Array(0, 0) == [1, -1])
      #expect(try result.stringArray(0, 1) == ["", "é", "a,b"])
      #expect(try result.string(0, 2) == "{a,NULL}")
      #expect(try result.string(0, 3) == "{}")
      #expect(try result.string(0, 4) == "0102")
      #expect(try result.timestamp(0, 5) == -1)
      for column in 6..<8 { #expect(throws: PostgresError.self) { try result.int64Array(0, column) } }
    }
  }

  @Test("NULL is nil for the optional readers, an error for the others")
  func nulls() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      let result = try connection.execute(
        """
        SELECT \(nil as Int64?), \(nil as String?), \(timestamp: nil as Int64?), \(nil as [UInt8]?), NULL::bool,
               NULL::float8, coalesce(\(Value.null), 5)
        """
      )
      #expect(try result.optionalInt64(0, 0) == nil)
      #expect(try result.optionalString(0, 1) == nil)
      #expect(try result.optionalTimestamp(0, 2) == nil)
      #expect(try result.optionalBytes(0, 3) == nil)
      #expect(try result.optionalBool(0, 4) == nil)
      #expect(try result.optionalDouble(0, 5) == nil)
      #expect(try result.int64(0, 6) == 5)
      #expect(result.isNull(0, 0) && !result.isNull(0, 6))
      #expect(throws: PostgresError.self) { try result.int64(0, 0) }
      #expect(throws: PostgresError.self) { try result.string(0, 1) }
    }
  }

  @Test("booleans, doubles and jsonb are read, and a wrong type is an error that names the column")
  func others() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      let result = try connection.execute(
        "SELECT \(true) AS b, \(0.1) AS d, 2.5::real AS r, \("{\"a\": 1}")::jsonb AS j, 'x'::name AS n, 3::smallint"
      )
      #expect(try result.bool(0, 0))
      #expect(try result.double(0, 1) == 0.1)
      #expect(try result.double(0, 2) == 2.5)
      #expect(try result.string(0, 3) == "{\"a\": 1}")
      #expect(try result.string(0, 4) == "x")
      #expect(try result.int64(0, 5) == 3)
      #expect(result.columns.prefix(4) == ["b", "d", "r", "j"])
      #expect(result.count == 1 && result.columnCount == 6)
      let error = #expect(throws: PostgresError.self) { try result.string(0, 1) }
      #expect(error?.message.contains("column d") == true)
      #expect(throws: PostgresError.self) { try result.int64(0, 3) }
      #expect(throws: PostgresError.self) { try result.timestamp(0, 5) }
    }
  }
}
