import Foundation
import TestSupport
import Testing

/// What the tests' own waiting rests on.
@Suite("Waiting in tests")
struct WaitingTests {
  @Test("a wait goes on for longer than its limit while something changes")
  func progress() throws {
    var looks = 0
    // Each look counts 40 ms of the limit at least; all together take twice as long, and a third of the hard end.
    try waitUntil("it is done", within: .milliseconds(500), seen: { "\(looks) looks" }) {
      usleep(40_000)
      looks += 1
      return looks == 25
    }
  }

  @Test("a wait for what stands still ends, and says what was seen last and what the machine is busy with")
  func standstill() {
    let error = #expect(throws: TestSupportError.self) {
      try waitUntil("it is done", within: .milliseconds(100), seen: { "3 of 7" }) { false }
    }
    let text = error?.description ?? ""
    #expect(text.contains("it is done") && text.contains("seen last: 3 of 7"), "\(text)")
    #expect(text.contains("load ") && text.contains("busiest threads"), "\(text)")
  }

  @Test("a wait whose sight changes for ever ends all the same")
  func endless() {
    var looks = 0
    #expect(throws: TestSupportError.self) {
      try waitUntil("it is done", within: .milliseconds(100), seen: { "\(looks)" }) {
        looks += 1
        return false
      }
    }
  }

  @Test("a thread that takes a processor for nothing is named by the machine's state")
  func busyThread() {
    let isDone = Flag()
    defer { isDone.set() }
    Thread.detachNewThread {
      Thread.current.name = "spinning"
      while !isDone.isSet {}
    }
    // On a busy machine it may get no time for a moment.
    #expect(holds(within: .seconds(20)) { MachineState.now().contains("spinning") })
  }
}
