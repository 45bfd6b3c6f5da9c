import CountStore
import Counting
import Threading
import Testing

@testable import Ingestion

@Suite("the database's clock between two readings")
struct DatabaseClockTests {
  /// 2026-12-31T23:59:30Z: a minute, a day, a month and a year end within the minute.
  private static let now = Timestamp(microseconds: 1_798_761_570_000_000)

  private func clock(_ now: Timestamp, readAt nanoseconds: UInt64) -> DatabaseClock {
    DatabaseClock(
      EventTimeBounds(floor: Timestamp(microseconds: 0), now: now),
      readAt: MonotonicInstant(nanoseconds: nanoseconds)
    )
  }

  @Test(
    "goes on by the monotonic clock, wherever that one stands",
    arguments: [1, 180_000_000_000, 3_000_000_000_000_000_000, 1 << 63 - 30_000_000_000, 1 << 63] as [UInt64]
  )
  func steady(reading: UInt64) {
    let clock = clock(Self.now, readAt: reading)
    #expect(clock.estimate(at: MonotonicInstant(nanoseconds: reading)) == Self.now)
    let later = clock.estimate(at: MonotonicInstant(nanoseconds: reading + 60_000_000_000))
    #expect(later.microseconds - Self.now.microseconds == 60_000_000)
    #expect(clock.estimate(at: MonotonicInstant(nanoseconds: reading - 1)) == Self.now, "it never goes back")
  }

  @Test("ends at the last representable time instead of wrapping")
  func end() {
    let clock = clock(Timestamp(microseconds: .max - 5), readAt: 1)
    #expect(clock.estimate(at: .never).microseconds == .max)
  }
}
