import Testing

@testable import Postgres

@Suite("Whole numbers in binary numeric")
struct NumericTests {
  /// Digits of base 10,000, as `numeric_send` writes them.
  private func read(_ digits: [UInt16], weight: Int16, sign: UInt16 = 0) -> Int64? {
    let words = [UInt16(digits.count), UInt16(bitPattern: weight), sign, 0] + digits
    let bytes = words.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
    return bytes.withUnsafeBytes { wholeNumber(numeric: $0) }
  }

  @Test("numbers are read over the whole range of 64 bits")
  func values() {
    #expect(read([], weight: 0) == 0)
    #expect(read([7], weight: 0) == 7)
    #expect(read([7], weight: 0, sign: 0x4000) == -7)
    #expect(read([1], weight: 2) == 100_000_000)
    #expect(read([922, 3372, 368, 5477, 5807], weight: 4) == .max)
    #expect(read([922, 3372, 368, 5477, 5808], weight: 4, sign: 0x4000) == .min)
    #expect(read([1, 0], weight: 0) == 1)
  }

  @Test("fractions, NaN, infinities, overflow and cut bytes are refused")
  func refusals() {
    #expect(read([1, 5000], weight: 0) == nil)
    #expect(read([5000], weight: -1) == nil)
    #expect(read([], weight: 0, sign: 0xC000) == nil)
    #expect(read([], weight: 0, sign: 0xD000) == nil)
    #expect(read([922, 3372, 368, 5477, 5808], weight: 4) == nil)
    #expect(read([922, 3372, 368, 5477, 5809], weight: 4, sign: 0x4000) == nil)
    #expect(read([1], weight: 5) == nil)
    #expect(([0, 2, 0, 0, 0, 0, 0, 0, 0] as [UInt8]).withUnsafeBytes { wholeNumber(numeric: $0) } == nil)
  }
}
