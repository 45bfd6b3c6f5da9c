import Counting
import Prometheus
import Testing

@testable import CountStore
@testable import Ingestion

@Suite("what a worker says of the clock")
struct ClockHealthTests {
  private static let now: Int64 = 1_796_083_200_000_000
  private static let day: Int64 = 86_400_000_000

  private func check(ahead: Int64, floor: Int64 = now - 7 * day) -> ClockCheck {
    let reading = ClockReading(
      database: Timestamp(microseconds: Self.now + ahead),
      worker: Timestamp(microseconds: Self.now),
      monotonic: 0,
      clockID: "a"
    )
    return ClockCheck(
      verdict: Result { () throws(ClockDisagreement) in try TrustedClock.judge(reading, anchor: nil) },
      reading: reading,
      floor: Timestamp(microseconds: floor)
    )
  }

  /// The worker's words about its clock.
  private func complaints(_ health: IngestionHealth) -> [String] {
    health.unreadiness(at: .now).compactMap { if case .clock(let words) = $0 { words } else { nil } }
  }

  @Test("a disagreement of the clocks makes a worker unready, with the reason, and never unhealthy")
  func disagreement() {
    var health = IngestionHealth()
    #expect(complaints(health) == [])
    health.record(.clock(check(ahead: 40 * Self.day)))
    let words = complaints(health)
    #expect(words.count == 1 && words.allSatisfy { $0.contains("40 days ahead of") })
    #expect(words.allSatisfy { $0.contains("until they agree") })
    #expect(health.stall(at: .now) == nil)
    health.record(.clock(check(ahead: -2_000_000)))
    #expect(complaints(health) == [])
  }

  @Test("a floor ahead of the clock makes a worker unready")
  func floorAhead() {
    var health = IngestionHealth()
    health.record(.clock(check(ahead: 0, floor: Self.now + 33 * Self.day)))
    #expect(complaints(health).contains { $0.contains("every event is late") })
    #expect(health.stall(at: .now) == nil)
  }

  private func page(_ metrics: IngestionMetrics) -> String {
    var page = Exposition()
    metrics.write(to: &page)
    return page.text
  }

  @Test("the gauges show whether the clocks agree, and how far they are apart")
  func gauges() {
    var metrics = IngestionMetrics()
    #expect(!page(metrics).contains("topitems_clock"), "unknown before the first look")
    metrics.record(.clock(check(ahead: 40 * Self.day)))
    #expect(page(metrics).contains("topitems_clock_agreed 0\n"))
    #expect(page(metrics).contains("topitems_clock_ahead_seconds 3456000\n"))
    metrics.record(.clock(check(ahead: 2_000_000)))
    #expect(page(metrics).contains("topitems_clock_agreed 1\n"))
    #expect(page(metrics).contains("topitems_clock_ahead_seconds 2\n"))
  }

  @Test("the brokers' time is that of the last message, and one that no calendar has is none")
  func brokerTime() {
    let newest = NewestBrokerTime(host: HostClock(id: "a", wall: { 0 }, monotonic: { 7 }))
    #expect(newest.value == nil)
    newest.record(milliseconds: .max)
    newest.record(milliseconds: -1)
    #expect(newest.value == nil)
    newest.record(milliseconds: 5000)
    newest.record(milliseconds: 3000)
    #expect(newest.value == BrokerTime(appended: Timestamp(microseconds: 3_000_000), monotonic: 7))
  }
}
