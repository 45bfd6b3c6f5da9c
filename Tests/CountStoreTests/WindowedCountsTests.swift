import Counting
import TestSupport
import Testing

@testable import CountStore

@Suite("the counts of a batch")
struct WindowedCountsTests {
  @Test("no detections are no counts")
  func empty() {
    let counts = WindowedCounts(of: [], itemIDs: [])
    #expect(counts.isEmpty)
    #expect(counts.changedLocations() == [])
  }

  @Test("they equal a naive recount, in the order of the key", arguments: [21, 22, 23, 24] as [UInt64])
  func property(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let ids = (0..<20).map { _ in Int64.random(in: 1...30, using: &random) }
    let detections = (0..<3000).map { number in
      Batch.Detection(
        oid: Int64(number),
        detectedAt: Timestamp(microseconds: .random(in: -300_000_000...300_000_000, using: &random)),
        location: .random(in: -3...3, using: &random),
        item: .random(in: 0..<20, using: &random),
        part: 0
      )
    }
    let isCounted: [Bool]? =
      seed.isMultiple(of: 2) ? nil : detections.map { _ in Bool.random(using: &random) }

    var naive: [[Int64]: Int64] = [:]
    for (position, detection) in detections.enumerated() where isCounted?[position] ?? true {
      var start = detection.detectedAt.microseconds / 60_000_000 * 60_000_000
      if start > detection.detectedAt.microseconds { start -= 60_000_000 }
      naive[[detection.location, start, ids[Int(detection.item)]], default: 0] += 1
    }

    let counts = WindowedCounts(of: detections, itemIDs: ids, isCounted: isCounted)
    let keys = counts.counts.indices.map {
      [counts.locations[$0], counts.windowStarts[$0], counts.itemIDs[$0]]
    }
    #expect(Dictionary(uniqueKeysWithValues: zip(keys, counts.counts)) == naive)
    #expect(keys == keys.sorted { $0.lexicographicallyPrecedes($1) })
    #expect(counts.changedLocations() == Array(Set(keys.map { $0[0] })).sorted())
  }

  @Test("two indexes of one stored item are one count")
  func sameItem() {
    let detections = (0..<4).map { number in
      Batch.Detection(
        oid: number,
        detectedAt: Timestamp(microseconds: number),
        location: 1,
        item: Int32(number % 2),
        part: 0
      )
    }
    let counts = WindowedCounts(of: detections, itemIDs: [9, 9])
    #expect(counts.counts == [4])
    #expect(counts.itemIDs == [9])
  }

  @Test("too many changed locations are not named")
  func manyLocations() {
    let detections = (0..<11).map { number in
      Batch.Detection(oid: number, detectedAt: Timestamp(microseconds: 0), location: number, item: 0, part: 0)
    }
    let counts = WindowedCounts(of: detections, itemIDs: [1])
    #expect(counts.changedLocations(limit: 11)?.count == 11)
    #expect(counts.changedLocations(limit: 10) == nil)
  }
}
