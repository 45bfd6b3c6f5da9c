import Testing

@testable import Postgres

@Suite("Binary COPY")
struct CopyInTests {
  static let header: [UInt8] = [
    0x50, 0x47, 0x43, 0x4F, 0x50, 0x59, 0x0A, 0xFF, 0x0D, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  ]

  /// What a body writes, between header and trailer.
  private func written(_ body: (inout CopyIn) throws(PostgresError) -> Void) throws(PostgresError) -> [UInt8]
  {
    var copy = CopyIn(.memory, sql: "COPY")
    try body(&copy)
    try copy.finish()
    let bytes = Array(copy.buffer.bytes)
    #expect(Array(bytes.prefix(19)) == Self.header)
    #expect(Array(bytes.suffix(2)) == [255, 255])
    return Array(bytes.dropFirst(19).dropLast(2))
  }

  @Test("a COPY without rows is header and trailer")
  func empty() throws {
    #expect(try written { _ throws(PostgresError) in }.isEmpty)
  }

  @Test("each field is its length and its bytes, in network order")
  func fields() throws {
    let bytes = try written { copy throws(PostgresError) in
      try copy.row(columns: 8)
      copy.append(int64: -2)
      copy.append(int32: 3)
      copy.append(int16: 4)
      copy.append(bool: true)
      copy.append(timestamp: 946_684_800_000_001)
      copy.append(bytes: [9, 8])
      copy.append(text: "é")
      copy.appendNull()
    }
    #expect(
      bytes == [0, 8, 0, 0, 0, 8, 255, 255, 255, 255, 255, 255, 255, 254, 0, 0, 0, 4, 0, 0, 0, 3]
        + [0, 0, 0, 2, 0, 4, 0, 0, 0, 1, 1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 9, 8]
        + [0, 0, 0, 2, 0xC3, 0xA9, 255, 255, 255, 255]
    )
  }

  @Test(
    "fields around the size of a piece keep their place",
    arguments: [
      0, 1, 65_000, 65_505, 65_510, 65_511, 65_512, 65_536, 65_537, 200_000,
    ]
  )
  func pieces(size: Int) throws {
    let large = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
    let bytes = try written { copy throws(PostgresError) in
      for _ in 0..<3 {
        try copy.row(columns: 2)
        copy.append(bytes: large)
        copy.append(int16: 258)
      }
    }
    let length = withUnsafeBytes(of: UInt32(size).bigEndian) { Array($0) }
    let row = [0, 2] + length + large + [0, 0, 0, 2, 1, 2]
    #expect(bytes == row + row + row)
  }

  @Test("a time out of range is kept and thrown by the next row")
  func timeOutOfRange() {
    let error = #expect(throws: PostgresError.self) {
      try written { copy throws(PostgresError) in
        try copy.row(columns: 1)
        copy.append(timestamp: .min)
        try copy.row(columns: 1)
        Issue.record("the fault was not thrown")
      }
    }
    #expect(error?.sqlState == .datetimeFieldOverflow)
    #expect(error?.remedy == .refuseMessage)
  }

  @Test("a time out of range in the last row is thrown at the end")
  func timeOutOfRangeAtEnd() {
    #expect(throws: PostgresError.self) {
      try written { copy throws(PostgresError) in
        try copy.row(columns: 1)
        copy.append(timestamp: .min)
      }
    }
  }
}
