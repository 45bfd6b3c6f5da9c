import Threading
import Testing

@testable import Sockets

@Suite("TimeSlice") struct TimeSliceTests {
  private let start = Instant(nanoseconds: 1_000_000_000)

  @Test("others go first once for each millisecond of work without a wait")
  func work() {
    var slice = TimeSlice(at: start)
    let turns = (1...5_000).filter { slice.isOver(at: start + .microseconds($0)) }
    #expect(turns == [1_000, 2_000, 3_000, 4_000, 5_000])
  }

  @Test("a wait begins a new slice, a moment that is none does not", arguments: [(49, 1_000), (50, 1_850)])
  func wait(microseconds: Int, end: Int) {
    var slice = TimeSlice(at: start)
    slice.waited(from: start + .microseconds(800), until: start + .microseconds(800 + microseconds))
    #expect((801...3_000).first { slice.isOver(at: start + .microseconds($0)) } == end)
  }
}
