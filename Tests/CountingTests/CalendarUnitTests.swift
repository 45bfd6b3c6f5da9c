import Counting
import Testing

@Suite("Units of time")
struct CalendarUnitTests {
  @Test(
    "a point's hour, day and month begin where UTC's do, before 1970 and in leap years too",
    arguments: [
      ("2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z"),
      ("2026-11-30T23:59:59.999999Z", "2026-11-30T23:00:00Z", "2026-11-30T00:00:00Z", "2026-11-01T00:00:00Z"),
      ("2028-02-29T12:30:00+05:45", "2028-02-29T06:00:00Z", "2028-02-29T00:00:00Z", "2028-02-01T00:00:00Z"),
      ("1969-12-31T23:59:59Z", "1969-12-31T23:00:00Z", "1969-12-31T00:00:00Z", "1969-12-01T00:00:00Z"),
      ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    ]
  )
  func starts(point: String, hour: String, day: String, month: String) throws {
    let time = try #require(Timestamp(rfc3339: point))
    #expect(time.start(of: .hour) == Timestamp(rfc3339: hour))
    #expect(time.start(of: .day) == Timestamp(rfc3339: day))
    #expect(time.start(of: .month) == Timestamp(rfc3339: month))
  }

  @Test("the ends of the representable time do not trap", arguments: [Int64.min, Int64.min + 1, -1, 0, .max])
  func ends(microseconds: Int64) {
    let time = Timestamp(microseconds: microseconds)
    for unit in [CalendarUnit.hour, .day, .month] { #expect(time.start(of: unit) <= time) }
  }
}
