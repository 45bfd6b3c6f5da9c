import Counting
import Testing

@Suite("Spans of time")
struct TimeSpanTests {
  @Test(
    "ISO 8601 durations of a fixed length are read",
    arguments: [
      ("PT15M", 900), ("P1D", 86_400), ("P1W", 604_800), ("PT1S", 1), ("PT1H", 3_600), ("P1DT12H", 129_600),
      ("P1DT2H3M4S", 93_784), ("PT36H", 129_600), ("PT0H1M", 60), ("P0DT1S", 1),
      ("PT0000000000000000000000001S", 1),
      ("P366D", 31_622_400), ("PT1H1S", 3_601),
    ] as [(String, Int64)]
  )
  func reading(text: String, seconds: Int64) {
    #expect(TimeSpan(iso8601: text)?.microseconds == seconds * 1_000_000)
  }

  @Test(
    "the longest span fits into 64 bits, a longer one is refused",
    arguments: [
      ("PT9223372036854S", 9_223_372_036_854_000_000), ("PT9223372036855S", nil),
      ("P106751991D", 106_751_991 * 86_400_000_000),
      ("P106751992D", nil), ("P15250284W", 15_250_284 * 604_800_000_000), ("P15250285W", nil),
      ("P106751991DT4H", 9_223_372_036_800_000_000), ("P106751991DT5H", nil), ("PT9223372036854775807S", nil),
      ("PT9223372036854775808S", nil),
      ("PT99999999999999999999999999999999H", nil),
    ] as [(String, Int64?)]
  )
  func overflow(text: String, microseconds: Int64?) {
    #expect(TimeSpan(iso8601: text)?.microseconds == microseconds)
  }

  @Test(
    "everything else is refused",
    arguments: [
      "", "P", "PT", "T15M", "15M", "PT15", "P15", "P1Y", "P1M", "P1Y1D", "P1DT", "P1WT1H", "P1W1D", "P1D1W",
      "PT1W",
      "PT1D", "P1H", "P1S", "PT1M1H", "PT1S1S", "PT1S1M", "P1D1D", "PTT1M", "PT1MT1S", "P T1M", "PT1M ",
      " PT1M",
      "pt1m", "Pt1M", "PT-1M", "-PT1M", "+PT1M", "PT+1M", "PT0.5H", "PT1.0S", "PT1,5S", "PTM", "PTHMS",
      "PT1\u{0}M",
      "PT１M", "PT0S", "P0D", "P0W", "P0DT0H0M0S", "P-1D", "PT1H-", "1", "P1", "PT1HM",
    ]
  )
  func refusing(text: String) {
    #expect(TimeSpan(iso8601: text) == nil)
  }

  @Test("a span is positive")
  func positive() {
    #expect(TimeSpan(microseconds: 0) == nil)
    #expect(TimeSpan(microseconds: -1) == nil)
    #expect(TimeSpan(microseconds: 1)?.microseconds == 1)
  }

  @Test(
    "is written as it is read, in whole seconds",
    arguments: [
      ("P7D", "P7D"), ("PT36H", "P1DT12H"), ("PT5M", "PT5M"), ("PT1S", "PT1S"), ("P1W", "P7D"),
      ("P1DT1H1M1S", "P1DT1H1M1S"), ("PT90M", "PT1H30M"),
    ]
  )
  func writing(read: String, written: String) throws {
    #expect(try #require(TimeSpan(iso8601: read)).iso8601 == written)
  }

  @Test("a span of less than a second is written as none")
  func short() throws {
    #expect(try #require(TimeSpan(microseconds: 999_999)).iso8601 == "PT0S")
  }
}
