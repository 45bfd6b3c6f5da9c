import Locks
import Testing

@testable import Sockets

@Suite("Stint") struct StintTests {
  private let start = Instant(nanoseconds: 1_000_000_000)

  @Test("others go first once for each millisecond of work without a wait")
  func work() {
    var stint = Stint(at: start)
    let turns = (1...5_000).filter { stint.isOver(at: start + .microseconds($0)) }
    #expect(turns == [1_000, 2_000, 3_000, 4_000, 5_000])
  }

  @Test("a wait begins a new stint, a moment that is none does not", arguments: [(49, 1_000), (50, 1_850)])
  func wait(microseconds: Int, end: Int) {
    var stint = Stint(at: start)
    stint.waited(from: start + .microseconds(800), until: start + .microseconds(800 + microseconds))
    #expect((801...3_000).first { stint.isOver(at: start + .microseconds($0)) } == end)
  }
}
