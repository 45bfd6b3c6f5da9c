import CountStore
import Testing

@testable import Ingestion

@Suite("Lag by the brokers' answers")
struct LagTrackerTests {
  private let key = PartitionKey(topic: "t", partition: 0)
  private let start = ContinuousClock.now

  private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

  private func tracker() -> LagTracker {
    var tracker = LagTracker()
    tracker.assign([key], at: start)
    return tracker
  }

  @Test("is not known before the partition is claimed, nor before a broker has answered with its end")
  func unknown() {
    var tracker = tracker()
    #expect(tracker[key]?.lag(at: start) == nil && tracker[key]?.behindSince(at: at(3)) == start)
    tracker.record(next: 10, of: key, at: at(1))
    #expect(tracker[key]?.lag(at: at(1)) == nil && tracker[key]?.behindSince(at: at(3)) == start)
    tracker.record(end: 10, of: key, at: at(2))
    #expect(tracker[key]?.lag(at: at(3)) == 0 && tracker[key]?.behindSince(at: at(3)) == nil)
  }

  @Test("is not known any more when brokers are silent, and messages may wait since then")
  func silence() {
    var tracker = tracker()
    tracker.record(next: 10, of: key, at: start)
    tracker.record(end: 10, of: key, at: at(1))
    #expect(tracker[key]?.lag(at: at(16)) == 0)
    #expect(tracker[key]?.lag(at: at(16.1)) == nil && tracker[key]?.behindSince(at: at(30)) == at(1))
    // What librdkafka remembers of a fetch is no response.
    tracker.record(fetchedEnd: 10, of: key, at: at(20))
    tracker.record(fetchedEnd: 10, of: key, at: at(40))
    #expect(tracker[key]?.lag(at: at(40)) == nil)
    tracker.record(end: 12, of: key, at: at(41))
    #expect(tracker[key]?.lag(at: at(41)) == 2)
  }

  @Test("grows while nothing is committed, and the oldest message keeps its time")
  func growing() {
    var tracker = tracker()
    tracker.record(next: 10, of: key, at: start)
    for second in 1...300 { tracker.record(end: Int64(10 + second * 100), of: key, at: at(Double(second))) }
    #expect(tracker[key]?.lag(at: at(300)) == 30_000)
    #expect(tracker[key]?.unreadSince == at(1))
    // Half of it is committed: what is the oldest now came after 150 s, and is not dated earlier.
    tracker.record(next: 15_010, of: key, at: at(301))
    let since = tracker[key]?.unreadSince
    #expect(since.map { $0 > at(150) && $0 < at(170) } == true)
    tracker.record(next: 30_010, of: key, at: at(302))
    #expect(tracker[key]?.unreadSince == nil && tracker[key]?.lag(at: at(302)) == 0)
  }

  @Test("of a stream that is kept up with is dated by its newest messages")
  func keepingUp() {
    var tracker = tracker()
    for second in 1...100 {
      tracker.record(end: Int64(second * 1000), of: key, at: at(Double(second)))
      tracker.record(next: Int64(second * 1000 - 5), of: key, at: at(Double(second)))
    }
    #expect(tracker[key]?.unreadSince == at(100))
  }

  @Test("does not shrink where a broker answers less than a fetch has found")
  func lowerAnswer() {
    var tracker = tracker()
    tracker.record(next: 0, of: key, at: start)
    tracker.record(fetchedEnd: 100, of: key, at: at(1))
    tracker.record(end: 81, of: key, at: at(2))
    #expect(tracker[key]?.lag(at: at(17)) == 100)
  }

  @Test("begins again for a partition that was away")
  func reassigned() {
    var tracker = tracker()
    tracker.record(next: 0, of: key, at: start)
    tracker.record(end: 100, of: key, at: at(1))
    tracker.assign([], at: at(2))
    #expect(tracker[key] == nil)
    tracker.assign([key], at: at(3))
    #expect(tracker[key]?.lag(at: at(3)) == nil)
  }

  @Test("has no trouble with offsets and times at the ends of their range")
  func extremes() {
    var tracker = tracker()
    tracker.record(next: 0, of: key, at: start)
    tracker.record(end: .max, of: key, at: start)
    #expect(tracker[key]?.lag(at: start) == .max)
    #expect(tracker[key]?.behindSince(at: start + .seconds(1e10)) == start)
  }
}
