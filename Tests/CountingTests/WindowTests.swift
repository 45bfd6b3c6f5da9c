import Counting
import TestSupport
import Testing

@Suite("Windows")
struct WindowTests {
  @Test(
    "a window starts at the minute, also before 1970",
    arguments: [
      (0, 0), (1, 0), (59_999_999, 0), (60_000_000, 60_000_000), (-1, -60_000_000),
      (-60_000_000, -60_000_000),
      (-60_000_001, -120_000_000), (.max, .max - .max % 60_000_000), (.min, .min),
      (.min + 60_000_000, .min + 54_775_808),
    ] as [(Int64, Int64)]
  )
  func start(microseconds: Int64, expected: Int64) {
    let point = Timestamp(microseconds: microseconds)
    #expect(Window.start(of: point).microseconds == expected)
    #expect(Window(containing: point).start.microseconds == expected)
  }

  @Test("every point is in its window, and windows do not depend on a day's offset or a leap second")
  func containment() throws {
    var random = SeededGenerator(seed: 3)
    for _ in 0..<10_000 {
      let point = Timestamp(microseconds: .random(in: -1 << 60...1 << 60, using: &random))
      let start = Window.start(of: point)
      #expect(start.microseconds % Window.length == 0)
      #expect((0..<Window.length).contains(point.microseconds - start.microseconds))
    }
    let leapSecond = try #require(Timestamp(rfc3339: "2016-12-31T23:59:60.9Z"))
    #expect(Window.start(of: leapSecond).rfc3339 == "2017-01-01T00:00:00Z")
    let inKathmandu = try #require(Timestamp(rfc3339: "2026-10-25T02:59:59.999999+05:45"))
    #expect(Window.start(of: inKathmandu).rfc3339 == "2026-10-24T21:14:00Z")
  }
}
