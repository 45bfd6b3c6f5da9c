import Testing

@testable import Postgres

@Suite("Pool state")
struct PoolStateTests {
  private let start = ContinuousClock.now

  @Test("connections are opened up to the size, then callers wait, then they are refused")
  func bounds() {
    var state = PoolState(size: 2, queueBound: 1)
    for _ in 0..<2 {
      #expect(state.decide(ticket: nil, now: start) == .open)
      state.opening()
      state.opened()
    }
    #expect(state.decide(ticket: nil, now: start) == .wait)
    let ticket = state.startWaiting()
    #expect(state.decide(ticket: nil, now: start) == .refuse(.queueFull))
    state.returned(isFit: true)
    #expect(state.decide(ticket: ticket, now: start) == .reuse)
  }

  @Test("the caller that waits longest comes first, also before a newcomer")
  func fairness() {
    var state = PoolState(size: 1, queueBound: 8)
    state.opening()
    state.opened()
    let first = state.startWaiting()
    let second = state.startWaiting()
    state.returned(isFit: true)
    #expect(state.decide(ticket: second, now: start) == .wait)
    #expect(state.decide(ticket: nil, now: start) == .wait)
    #expect(state.decide(ticket: first, now: start) == .reuse)
    state.stopWaiting(first)
    #expect(state.decide(ticket: second, now: start) == .reuse)
  }

  @Test("a broken connection's place is free again")
  func replacement() {
    var state = PoolState(size: 1, queueBound: 8)
    state.opening()
    state.opened()
    state.returned(isFit: false)
    #expect(state.decide(ticket: nil, now: start) == .open)
  }

  @Test("after a failed connect everyone fails fast until one probes")
  func backOff() {
    var state = PoolState(size: 4, queueBound: 8)
    state.opening()
    state.failedToOpen(now: start, jitter: 1)
    #expect(state.decide(ticket: nil, now: start + .milliseconds(99)) == .refuse(.backingOff))
    let later = start + .milliseconds(101)
    #expect(state.decide(ticket: nil, now: later) == .open)
    state.opening()
    #expect(state.decide(ticket: nil, now: later) == .refuse(.backingOff))
    state.opened()
    #expect(state.decide(ticket: nil, now: later) == .open)
  }

  @Test("the pauses double up to two seconds, whatever the number of failures")
  func pauses() {
    var state = PoolState(size: 1, queueBound: 8)
    for attempt in 0..<100 {
      state.opening()
      state.failedToOpen(now: start, jitter: 1)
      let pause = min(100 * (1 << min(attempt, 10)), 2000)
      #expect(state.decide(ticket: nil, now: start + .milliseconds(pause - 1)) == .refuse(.backingOff))
      #expect(state.decide(ticket: nil, now: start + .milliseconds(pause)) == .open)
    }
  }

  @Test("in a back-off a connection that lies ready is still used")
  func readyInBackOff() {
    var state = PoolState(size: 2, queueBound: 8)
    state.opening()
    state.opened()
    state.opening()
    state.failedToOpen(now: start, jitter: 0)
    #expect(state.decide(ticket: nil, now: start) == .refuse(.backingOff))
    state.returned(isFit: true)
    #expect(state.decide(ticket: nil, now: start) == .reuse)
  }

  @Test("a closed pool refuses and keeps nothing")
  func closed() {
    var state = PoolState(size: 2, queueBound: 8)
    state.opening()
    state.opened()
    state.close()
    state.returned(isFit: true)
    #expect(state.ready == 0)
    #expect(state.decide(ticket: nil, now: start) == .refuse(.closed))
  }
}
