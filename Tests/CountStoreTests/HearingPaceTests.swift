import Testing

@testable import CountStore

@Suite("How often changes are heard")
struct HearingPaceTests {
  @Test("never more than twenty times in a second, however many there are; a few at once without a pause")
  func pace() {
    var pace = HearingPace()
    var now = ContinuousClock.now
    var heard: [ContinuousClock.Instant] = []
    var pauses: [Duration] = []
    for round in 0..<500 {
      heard.append(now)
      pauses.append(pace.pause(after: now))
      now += pauses[round]
      // Quiet for a while, again and again.
      if round % 100 == 99 { now += .seconds(Double(round) / 100) }
    }
    for (index, time) in heard.enumerated() {
      #expect(heard[index...].prefix { $0 < time + .seconds(1) }.count <= 20)
    }
    #expect(pauses.prefix(4).allSatisfy { $0 == .zero })
    #expect(pauses.allSatisfy { $0 <= .milliseconds(67) })
    #expect(heard[99] - heard[0] < .seconds(6.5), "and no fewer than fifteen on average")
  }

  @Test("events that come one by one are heard without any pause")
  func quiet() {
    var pace = HearingPace()
    var now = ContinuousClock.now
    for _ in 0..<100 {
      #expect(pace.pause(after: now) == .zero)
      now += .milliseconds(70)
    }
  }
}
