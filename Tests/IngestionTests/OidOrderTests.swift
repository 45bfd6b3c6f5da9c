import CountStore
import Counting
import TestSupport
import Testing

@testable import Ingestion

@Suite("the order of detections")
struct OidOrderTests {
  private func detections(_ oids: [Int64]) -> [Batch.Detection] {
    oids.enumerated().map {
      Batch.Detection(
        oid: $1,
        detectedAt: Timestamp(microseconds: Int64($0)),
        location: 0,
        item: Int32($0),
        part: 0
      )
    }
  }

  @Test(
    "it is the order of signed numbers, and equal ones stay in their order",
    arguments: [31, 32, 33, 34, 35, 36] as [UInt64]
  )
  func property(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let ranges: [ClosedRange<Int64>] = [.min ... .max, -50...50, 0...3, (Int64.max - 5000)...Int64.max]
    for range in ranges {
      for count in [0, 1, 2, 3, 1000] {
        var sorted = detections((0..<count).map { _ in .random(in: range, using: &random) })
        let expected = sorted.enumerated().sorted {
          ($0.element.oid, $0.offset) < ($1.element.oid, $1.offset)
        }
        OidOrder.sort(&sorted)
        #expect(sorted.map(\.item) == expected.map(\.element.item))
        #expect(sorted.map(\.oid) == expected.map(\.element.oid))
      }
    }
  }

  @Test("the ends of the range, zero and numbers that differ in one digit only are in order")
  func edges() {
    var oids: [Int64] = [.min, .min + 1, -1, 0, 1, .max - 1, .max]
    for bit in 0..<63 { oids += [1 << bit, -(1 << bit)] }
    var sorted = detections(oids.reversed())
    OidOrder.sort(&sorted)
    #expect(sorted.map(\.oid) == oids.sorted())
  }
}
