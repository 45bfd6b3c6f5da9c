import Testing
import Threading

@Suite("log throttle")
struct LogThrottleTests {
  @Test(
    "admits one message in each interval, and says how many it has suppressed",
    arguments: [1, 1 << 62] as [UInt64]
  )
  func admits(start: UInt64) {
    var throttle = LogThrottle(interval: .seconds(1))
    func admit(afterMilliseconds milliseconds: UInt64) -> Int? {
      throttle.admit(at: MonotonicInstant(nanoseconds: start + milliseconds * 1_000_000))
    }
    #expect(admit(afterMilliseconds: 0) == 0, "the first message, however young the clock is")
    #expect(admit(afterMilliseconds: 1) == nil && admit(afterMilliseconds: 999) == nil)
    #expect(admit(afterMilliseconds: 1000) == 2)
    #expect(admit(afterMilliseconds: 1500) == nil)
    #expect(admit(afterMilliseconds: 9000) == 1)
  }
}
