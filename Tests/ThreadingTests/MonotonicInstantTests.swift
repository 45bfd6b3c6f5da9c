import Testing

@testable import Threading

@Suite("instants of the monotonic clock")
struct MonotonicInstantTests {
  /// A clock that has just started, one in use, and ones whose numbers do not fit into 63 and 64 bits.
  static let readings: [UInt64] = [
    1, 2, 1_000_000_000, 200_000_000_000, 3_000_000_000_000_000_000, 1 << 63 - 1, 1 << 63, 1 << 63 + 1,
    .max - 1, .max,
  ]

  @Test("any time has passed since the distant past, whatever the clock reads", arguments: readings)
  func distantPast(reading: UInt64) {
    let now = MonotonicInstant(nanoseconds: reading)
    #expect(now.elapsed(since: .distantPast) == .forever)
    #expect(now.elapsed(since: .distantPast) >= .seconds(1 << 40))
    #expect(now > .distantPast)
    #expect(MonotonicInstant.distantPast.elapsed(since: .distantPast) == .forever)
  }

  @Test("elapsed time is the difference, and none where the other instant is later")
  func elapsed() {
    for early in Self.readings {
      for late in Self.readings {
        let span = MonotonicInstant(nanoseconds: late).elapsed(since: MonotonicInstant(nanoseconds: early))
        #expect(span.nanoseconds == (late > early ? late - early : 0), "\(early) to \(late)")
        #expect(span.microseconds >= 0 && span.seconds >= 0)
      }
    }
  }

  @Test("adding a duration never wraps", arguments: readings)
  func addition(reading: UInt64) {
    let now = MonotonicInstant(nanoseconds: reading)
    for duration in [Duration.zero, .nanoseconds(1), .seconds(60), .seconds(Int64.max), .seconds(-5)] {
      let later = now + duration
      #expect(later >= now)
      if later != .never { #expect(later.elapsed(since: now) == MonotonicInstant.Span(duration)) }
    }
    #expect(MonotonicInstant.never + .seconds(1) == .never)
  }

  @Test("the clock goes on, and never reads the distant past")
  func clock() {
    let first = MonotonicInstant.now()
    #expect(first > .distantPast && first < .never)
    #expect(MonotonicInstant.now() >= first)
    #expect(first.elapsed < .seconds(3600))
  }
}
