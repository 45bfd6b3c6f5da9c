import Threading
import Testing

@testable import Sockets

@Suite("timers and instants")
struct TimersTests {
  @Test("come due in the order of their deadlines", arguments: 0..<20)
  func order(_ seed: UInt64) {
    var timers = Timers()
    var state = seed
    var deadlines: [UInt64] = []
    for number in 0..<200 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      deadlines.append(state >> 48)
      timers.insert(Instant(nanoseconds: state >> 48), Registration(id: UInt32(number), descriptor: 0))
    }
    let middle = Instant(nanoseconds: 1 << 15)
    var popped: [UInt64] = []
    while let entry = timers.popDue(at: middle) { popped.append(entry.deadline.nanoseconds) }
    #expect(popped == deadlines.filter { $0 <= middle.nanoseconds }.sorted())
    while let entry = timers.popDue(at: .never) { popped.append(entry.deadline.nanoseconds) }
    #expect(popped == deadlines.sorted())
    #expect(timers.next == .never)
  }

  @Test("an instant plus a duration saturates")
  func arithmetic() {
    let instant = Instant(nanoseconds: 5)
    #expect(instant + .milliseconds(2) == Instant(nanoseconds: 2_000_005))
    #expect(instant + .seconds(Int64.max) == .never)
    #expect(Instant.never + .seconds(1) == .never)
    #expect(instant + .seconds(-1) == instant)
  }

  @Test("the time to wait is rounded up and bounded")
  func waiting() {
    let now = Instant(nanoseconds: 1_000_000)
    #expect(now.milliseconds(until: Instant(nanoseconds: 1_000_001), limit: 100) == 1)
    #expect(now.milliseconds(until: Instant(nanoseconds: 2_000_001), limit: 100) == 2)
    #expect(now.milliseconds(until: Instant(nanoseconds: 1_000_000), limit: 100) == 0)
    #expect(now.milliseconds(until: Instant(nanoseconds: 0), limit: 100) == 0)
    #expect(now.milliseconds(until: .never, limit: 100) == 100)
  }

  @Test("a registration survives the way through the kernel")
  func registration() {
    for (id, descriptor) in [(UInt32(0), Int32(0)), (.max, .max), (1, 1023)] {
      let registration = Registration(id: id, descriptor: descriptor)
      #expect(Registration(packed: registration.packed) == registration)
    }
  }
}
