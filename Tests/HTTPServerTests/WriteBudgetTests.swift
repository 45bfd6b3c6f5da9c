import Glibc
import Threading
import Sockets
import Testing

@testable import HTTPServer

@Suite("write budget of a slow reader")
struct WriteBudgetTests {
  private func limits() -> Spans {
    var limits = Limits()
    limits.write = .seconds(30)
    limits.minimumWriteRate = 1000
    return Spans(limits)
  }

  @Test("ends after a while without a byte, and is prolonged by bytes, to no more than that while")
  func account() {
    let start = Instant(nanoseconds: 1_000_000_000_000)
    var budget = WriteBudget(limits())
    budget.begin(at: start)
    #expect(budget.end == start + .seconds(30))
    budget.spend(until: start + .seconds(20))
    #expect(budget.end == start + .seconds(30))
    budget.add(5000, limits())
    #expect(budget.end == start + .seconds(35))
    budget.add(Int.max, limits())
    #expect(budget.end == start + .seconds(50))
  }

  @Test("does not come back by itself while nothing waits, so reading a little now and then does not help")
  func trickle() {
    var now = Instant(nanoseconds: 1)
    var budget = WriteBudget(limits())
    var rounds = 0
    // Each time just before the end a hundred bytes, and then a pause in which nothing waits.
    while rounds < 100 {
      budget.begin(at: now)
      let next = now + .seconds(10)
      guard budget.end > next else { break }
      budget.spend(until: next)
      budget.add(100, limits())
      now = next + .seconds(1000)
      rounds += 1
    }
    #expect(rounds == 3)
  }

  @Test("goes on for what is on its way when another response begins")
  func anotherAnswer() throws {
    var pair: [Int32] = [-1, -1]
    try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &pair) == 0)
    defer { close(pair[1]) }
    let socket = Socket(owning: FileDescriptor(owning: pair[0]))
    let start = Instant(nanoseconds: 1_000_000_000_000)
    var output = Output(limits())
    try output.send([UInt8](repeating: 0, count: 8 << 20), body: [], on: socket, at: start, limits())
    try #require(!output.isEmpty)
    let deadline = output.deadline
    #expect(deadline > start)
    output.beginWriteBudget(limits())
    #expect(output.deadline == deadline)
  }
}
