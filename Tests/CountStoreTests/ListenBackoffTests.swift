import Testing

@testable import CountStore

@Suite("ListenBackoff")
struct ListenBackoffTests {
  private let start = ContinuousClock.now

  @Test("each attempt in vain comes after twice as long, up to an hour")
  func spans() throws {
    var backoff = ListenBackoff(firstSpan: .seconds(60))
    #expect(backoff.isOver(start))
    var now = start
    var minutes: [Double] = []
    for _ in 0..<8 {
      let listening = now
      now += .seconds(2)
      backoff.record(listeningSince: listening, now)
      let end = try #require(backoff.end)
      minutes.append((end - now) / .seconds(60))
      #expect(!backoff.isOver(end - .milliseconds(1)) && backoff.isOver(end))
      now = end
    }
    #expect(minutes == [1, 2, 4, 8, 16, 32, 60, 60])
  }

  @Test("after a long time of listening, the first backoff applies again")
  func recovery() throws {
    var backoff = ListenBackoff(firstSpan: .seconds(60))
    for _ in 0..<3 { backoff.record(listeningSince: start, start + .seconds(2)) }
    backoff.record(listeningSince: start, start + .seconds(241))
    #expect(backoff.end == start + .seconds(301))
  }
}
