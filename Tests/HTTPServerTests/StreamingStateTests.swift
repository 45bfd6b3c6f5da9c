import Testing

@testable import HTTPServer

@Suite("what a streamed response keeps in memory")
struct StreamingStateTests {
  @Test("bytes that the loop has taken are not kept, although the list never runs empty")
  func taken() {
    var state = StreamingResponse.State()
    var sent = 0
    for round in 0..<10_000 {
      state.steps.append(.piece([UInt8](repeating: UInt8(truncatingIfNeeded: round), count: 100)))
      state.bytes += 100
      // One piece stays ahead of a client that reads steadily.
      guard round > 0 else { continue }
      for limit in [30, 100] {
        let (step, count) = state.takeStep(atMost: limit)
        guard case .piece(let piece) = step else {
          Issue.record("\(step)")
          return
        }
        #expect(piece.count == count && piece.allSatisfy { $0 == UInt8(truncatingIfNeeded: round - 1) })
        sent += count
      }
      #expect(state.steps.count <= 128 && state.bytes == 100)
      let kept = state.steps.reduce(0) { if case .piece(let piece) = $1 { $0 + piece.count } else { $0 } }
      #expect(kept == state.bytes)
    }
    #expect(sent == 9_999 * 100)
  }
}
