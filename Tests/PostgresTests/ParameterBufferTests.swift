import Testing

@testable import Postgres

@Suite("Binary arguments")
struct ParameterBufferTests {
  /// The bytes of one argument, nil for NULL.
  private func encoded(_ value: Value) throws -> [UInt8]? {
    var buffer = ParameterBuffer()
    try buffer.encode([value])
    guard buffer.pointers[0] != nil else { return nil }
    #expect(Int(buffer.lengths[0]) == buffer.bytes.count)
    return Array(buffer.bytes)
  }

  static let cases: [(Value, [UInt8])] = [
    (.bool(true), [1]),
    (.bool(false), [0]),
    (.int32(-2), [0xFF, 0xFF, 0xFF, 0xFE]),
    (.int64(.min), [0x80, 0, 0, 0, 0, 0, 0, 0]),
    (.int64(.max), [0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
    (.double(1), [0x3F, 0xF0, 0, 0, 0, 0, 0, 0]),
    (.text("é"), [0xC3, 0xA9]),
    (.text(""), []),
    (.bytes([0, 255]), [0, 255]),
    (.timestamp(946_684_800_000_000), [0, 0, 0, 0, 0, 0, 0, 0]),
    (.timestamp(946_684_799_999_999), [255, 255, 255, 255, 255, 255, 255, 255]),
    (.int64Array([]), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20]),
    (
      .int32Array([1, -1]),
      [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23, 0, 0, 0, 2, 0, 0, 0, 1]
        + [0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 4, 255, 255, 255, 255]
    ),
    (
      .optionalTextArray(["a", nil]),
      [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 25, 0, 0, 0, 2, 0, 0, 0, 1] + [0, 0, 0, 1, 97, 255, 255, 255, 255]
    ),
    (
      .bytesArray([[7], []]),
      [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0, 2, 0, 0, 0, 1] + [0, 0, 0, 1, 7, 0, 0, 0, 0]
    ),
  ]

  @Test("a value has exactly the bytes that PostgreSQL's receive functions read", arguments: cases)
  func bytes(value: Value, expected: [UInt8]) throws {
    #expect(try encoded(value) == expected)
  }

  @Test("NULL has no bytes and its type, if known")
  func nulls() throws {
    var buffer = ParameterBuffer()
    try buffer.encode([.null, .int32(5), .nullOf(.timestamp)])
    #expect(buffer.pointers.map { $0 == nil } == [true, false, true])
    #expect(buffer.types == [0, 23, 1184])
    #expect(buffer.lengths == [0, 4, 0])
    #expect(buffer.formats == [1, 1, 1])
  }

  @Test(
    "times that PostgreSQL cannot hold or would read as infinity are refused",
    arguments: [
      Int64.min, Int64.min + 946_684_800_000_000 - 1, Int64.min + 946_684_800_000_000,
    ]
  )
  func timeOverflow(microseconds: Int64) {
    var buffer = ParameterBuffer()
    for value in [Value.timestamp(microseconds), .timestampArray([0, microseconds])] {
      let error = #expect(throws: PostgresError.self) { try buffer.encode([value]) }
      #expect(error?.kind == .value)
      #expect(error?.sqlState == .datetimeFieldOverflow)
      #expect(error?.remedy == .refuseMessage)
    }
  }

  @Test("the buffer is reused, also after it had to grow")
  func reuse() throws {
    var buffer = ParameterBuffer()
    let large = [UInt8](repeating: 7, count: 6 << 20)
    try buffer.encode([.int64(1), .bytes(large), .int64(2)])
    #expect(buffer.bytes.count == large.count + 16)
    #expect(buffer.bytes.last == 2)
    try buffer.encode([.int32(3)])
    #expect(Array(buffer.bytes) == [0, 0, 0, 3])
  }
}
