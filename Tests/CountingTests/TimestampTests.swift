@testable import Counting
import TestSupport
import Testing

@Suite("Timestamps")
struct TimestampTests {
  @Test(
    "RFC 3339 texts are read",
    arguments: [
      ("1970-01-01T00:00:00Z", 0),
      ("1969-12-31T23:59:59.999999Z", -1),
      ("2026-11-01T00:00:00Z", 1_793_491_200_000_000),
      ("2026-11-01t00:00:00z", 1_793_491_200_000_000),
      ("2026-11-01 00:00:00Z", 1_793_491_200_000_000),
      // Offsets
      ("1985-04-12T23:20:50.52Z", 482_196_050_520_000),
      ("1996-12-19T16:39:57-08:00", 851_042_397_000_000),
      ("1937-01-01T12:00:27.87+00:20", -1_041_337_172_130_000),
      ("1970-01-01T00:00:00-00:00", 0),
      ("1970-01-01T23:59:00+23:59", 0),
      ("1969-12-31T00:01:00-23:59", 0),
      // Fractions of any length are cut, also before 1970, where that is towards the past
      ("1970-01-01T00:00:00.1Z", 100_000),
      ("1970-01-01T00:00:00.000001Z", 1),
      ("1970-01-01T00:00:00.0000019999Z", 1),
      ("1970-01-01T00:00:00.99999999999999999999999999999999999999Z", 999_999),
      ("1969-12-31T23:59:59.9999999Z", -1),
      // Leap seconds (RFC 3339, appendix D), also in other offsets
      ("1990-12-31T23:59:60Z", 662_688_000_000_000),
      ("1990-12-31T15:59:60-08:00", 662_688_000_000_000),
      ("2016-12-31T23:59:60.5Z", 1_483_228_800_500_000),
      ("2017-01-01T05:29:60+05:30", 1_483_228_800_000_000),
      // Leap years
      ("2024-02-29T00:00:00Z", 1_709_164_800_000_000),
      ("2000-02-29T00:00:00Z", 951_782_400_000_000),
      ("0000-02-29T00:00:00Z", -62_162_121_600_000_000),
      // The ends
      ("0000-01-01T00:00:00Z", -62_167_219_200_000_000),
      ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
      ("9999-12-31T23:59:59.9999999Z", 253_402_300_799_999_999),
    ] as [(String, Int64)]
  )
  func reading(text: String, microseconds: Int64) {
    #expect(Timestamp(rfc3339: text)?.microseconds == microseconds)
  }

  @Test(
    "what is not quite RFC 3339 is refused",
    arguments: [
      "", "Z", "2026", "2026-11-01", "2026-11-01T00:00:00", "2026-11-01T00:00Z", "20261101T000000Z",
      "2026-11-01T00:00:00Z ", " 2026-11-01T00:00:00Z", "2026-11-01T00:00:00ZZ", "2026-11-01  00:00:00Z",
      "2026-11-01_00:00:00Z", "2026/11/01T00:00:00Z", "2026-11-01T00:00:00\u{0}", "2026-11-01T00:00:00Z\u{0}",
      "2026-00-01T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-00T00:00:00Z", "2026-11-31T00:00:00Z",
      "2026-01-32T00:00:00Z", "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2024-02-30T00:00:00Z",
      "2026-11-01T24:00:00Z", "2026-11-01T23:60:00Z", "2026-11-01T23:59:61Z", "2026-11-01T99:99:99Z",
      "2026-11-01T00:00:00.Z", "2026-11-01T00:00:00,5Z", "2026-11-01T00:00:00.5", "2026-11-01T00:00:00.-5Z",
      "2026-11-01T00:00:00+24:00", "2026-11-01T00:00:00+00:60", "2026-11-01T00:00:00+0000",
      "2026-11-01T00:00:00+00", "2026-11-01T00:00:00+0:00", "2026-11-01T00:00:00 +00:00",
      "2026-11-01T00:00:00\u{2212}00:00", "2026-11-01T00:00:00+-1:00", "+2026-11-01T00:00:00Z",
      "-001-11-01T00:00:00Z", "12026-11-01T00:00:00Z", "２０２６-11-01T00:00:00Z",
      // No leap second can be there
      "2026-11-01T12:34:60Z", "2026-11-15T23:59:60Z", "2016-12-31T23:59:60+01:00", "2016-12-31T23:58:60Z",
      // The UTC year has no four digits
      "0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "9999-12-31T23:59:60Z",
    ]
  )
  func refusing(text: String) {
    #expect(Timestamp(rfc3339: text) == nil)
  }

  @Test(
    "texts have the shortest fraction, and a sign where RFC 3339 has no year",
    arguments: [
      (0, "1970-01-01T00:00:00Z"),
      (1_793_491_200_000_000, "2026-11-01T00:00:00Z"),
      (-1, "1969-12-31T23:59:59.999999Z"),
      (1_100_000, "1970-01-01T00:00:01.1Z"),
      (1_000_010, "1970-01-01T00:00:01.00001Z"),
      (951_827_696_000_000, "2000-02-29T12:34:56Z"),
      (-62_167_219_200_000_000, "0000-01-01T00:00:00Z"),
      (-62_167_219_200_000_001, "-000001-12-31T23:59:59.999999Z"),
      (253_402_300_800_000_000, "+010000-01-01T00:00:00Z"),
      (.min, "-290308-12-21T19:59:05.224192Z"),
      (.max, "+294247-01-10T04:00:54.775807Z"),
    ] as [(Int64, String)]
  )
  func writing(microseconds: Int64, text: String) {
    #expect(Timestamp(microseconds: microseconds).rfc3339 == text)
  }

  @Test("what was written is read back")
  func roundTrip() {
    var random = SeededGenerator(seed: 1)
    let range = Timestamp.rfc3339Range
    let bounds = range.lowerBound.microseconds...range.upperBound.microseconds
    for index in 0..<20_000 {
      var microseconds = Int64.random(in: bounds, using: &random)
      if index.isMultiple(of: 2) { microseconds -= microseconds % 1_000_000 }
      let timestamp = Timestamp(microseconds: microseconds)
      #expect(Timestamp(rfc3339: timestamp.rfc3339) == timestamp)
    }
  }

  @Test("any bytes are read without a trap, and what is read is in range")
  func mutations() {
    var random = SeededGenerator(seed: 2)
    let alphabet = Array("0123456789-+:.TtZz \u{0}é".utf8)
    for _ in 0..<50_000 {
      var bytes = Array("2016-12-31T23:59:60.123456+05:30".utf8)
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        bytes[Int.random(in: bytes.indices, using: &random)] =
          alphabet[Int.random(in: alphabet.indices, using: &random)]
      }
      bytes.removeLast(Int.random(in: 0...8, using: &random))
      if let timestamp = bytes.withUnsafeBytes({ Timestamp.parseRFC3339($0) }) {
        #expect(Timestamp(rfc3339: timestamp.rfc3339) == timestamp)
      }
    }
  }

  @Test("a later time and a longer span are greater; sums stop at the ends")
  func arithmetic() throws {
    let second = try #require(TimeSpan(microseconds: 1_000_000))
    let epoch = Timestamp(microseconds: 0)
    #expect(epoch < epoch + second)
    #expect((epoch - second).microseconds == -1_000_000)
    #expect((Timestamp(microseconds: .max) + second).microseconds == .max)
    #expect((Timestamp(microseconds: .min) - second).microseconds == .min)
    #expect("\(epoch)" == "1970-01-01T00:00:00Z")
  }
}
