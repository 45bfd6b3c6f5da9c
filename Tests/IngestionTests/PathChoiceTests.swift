import CountStore
import Counting
import Testing

@testable import Ingestion

@Suite("the choice between COPY and the careful path")
struct PathChoiceTests {
  @Test("it is optimistic at first, and stays so while nothing is met")
  func optimistic() {
    var path = PathChoice()
    for _ in 0..<5 {
      #expect(path.next == .optimistic)
      path.learn(from: report(counted: 10, careful: false), detections: 10)
    }
    #expect(path.next == .optimistic)
  }

  @Test("each further rolled-back COPY keeps the careful path longer, up to 32 batches")
  func growing() {
    var path = PathChoice()
    for expected in [1, 2, 4, 8, 16, 32, 32] {
      #expect(path.next == .optimistic)
      path.learn(from: report(counted: 5, careful: true), detections: 10)
      var careful = 0
      while path.next == .careful, careful < 100 {
        careful += 1
        path.learn(from: report(counted: 5, careful: true), detections: 10)
      }
      #expect(careful == expected)
    }
  }

  @Test("a careful batch that meets no duplicate goes back to COPY at once")
  func recovers() {
    var path = PathChoice()
    for _ in 0..<6 { path.learn(from: report(counted: 5, careful: true), detections: 10) }
    while path.next == .optimistic { path.learn(from: report(counted: 5, careful: true), detections: 10) }
    path.learn(from: report(counted: 10, careful: true), detections: 10)
    #expect(path.next == .optimistic)
    path.learn(from: report(counted: 10, careful: false), detections: 10)
    path.learn(from: report(counted: 9, careful: true), detections: 10)
    path.learn(from: report(counted: 9, careful: true), detections: 10)
    #expect(path.next == .optimistic, "a success has shortened the careful run to one batch")
  }

  private func report(counted: Int, careful: Bool) -> BatchReport {
    var part = Batch.Part(topic: "t", partition: 0, epoch: 1, base: 0)
    part.fates.counted = counted
    let zero = Timestamp(microseconds: 0)
    return BatchReport(
      revision: 1,
      parts: [part],
      bounds: EventTimeBounds(floor: zero, now: zero),
      microseconds: 1,
      times: PhaseTimes(),
      usedCarefulPath: careful
    )
  }
}
