import TestSupport
import Testing

@testable import Ingestion

/// A reference, since `#expect` takes its arguments as constants.
private final class Memory {
  private var recent: RecentDetections
  init(capacity: Int) { recent = RecentDetections(capacity: capacity) }
  func insert(_ oid: Int64) -> Bool { recent.insert(oid, hash: 7) == .new }
  func insert(_ oid: Int64, hash: Int64) -> RecentDetections.Memory { recent.insert(oid, hash: hash) }
  func removeAll() { recent.removeAll() }
  var count: Int { recent.count }
}

@Suite("the memory of lately accepted detections")
struct RecentDetectionsTests {
  @Test("an oid is new once, and so are 0, -1 and the ends of the range")
  func newOnce() {
    let recent = Memory(capacity: 100)
    for oid: Int64 in [0, -1, 1, .min, .max] {
      #expect(recent.insert(oid))
      #expect(!recent.insert(oid))
    }
    #expect(recent.count == 5)
  }

  @Test("what was remembered is new again after removeAll, 0 included")
  func forgetting() {
    let recent = Memory(capacity: 40)
    for oid: Int64 in 0..<35 { #expect(recent.insert(oid)) }
    recent.removeAll()
    #expect(recent.count == 0)
    for oid: Int64 in 0..<35 { #expect(recent.insert(oid)) }
  }

  @Test(
    "another payload of a remembered oid is a conflict, and the first stays",
    arguments: [0, 5, .min] as [Int64]
  )
  func conflicts(oid: Int64) {
    let recent = Memory(capacity: 40)
    #expect(recent.insert(oid, hash: 1) == .new)
    #expect(recent.insert(oid, hash: 2) == .conflicting)
    #expect(recent.insert(oid, hash: 1) == .known)
    // Also from the older half of the memory.
    for other: Int64 in 100..<125 { #expect(recent.insert(other, hash: 0) == .new) }
    #expect(recent.insert(oid, hash: 0) == .conflicting)
    #expect(recent.insert(oid, hash: 1) == .known)
  }

  @Test("at least half of the capacity is remembered, and never more than all of it", arguments: [32, 1000])
  func bounds(capacity: Int) {
    let recent = Memory(capacity: capacity)
    for oid in 0..<Int64(capacity * 5) {
      #expect(recent.insert(oid &* 0x9E37_79B9))
      #expect(recent.count <= capacity)
    }
    for back in 1..<Int64(capacity / 2) {
      #expect(!recent.insert((Int64(capacity * 5) - back) &* 0x9E37_79B9), "\(back) back")
    }
  }

  @Test("a capacity of 0 still works, with a few places")
  func noCapacity() {
    let recent = Memory(capacity: 0)
    for oid: Int64 in 0..<1000 { #expect(recent.insert(oid)) }
    #expect(recent.count <= 32)
  }

  @Test(
    "nothing is called seen that was not inserted since the last removeAll",
    arguments: [1, 2, 3, 4] as [UInt64]
  )
  func neverLies(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let recent = Memory(capacity: 64)
    var inserted: Set<Int64> = []
    var lastInserted: [Int64] = []
    for _ in 0..<20_000 {
      if Int.random(in: 0..<500, using: &random) == 0 {
        recent.removeAll()
        inserted = []
        lastInserted = []
      }
      let oid = Int64.random(in: -100...200, using: &random)
      if recent.insert(oid) {
        lastInserted.append(oid)
      } else {
        #expect(inserted.contains(oid), "\(oid) was never inserted")
      }
      inserted.insert(oid)
      // The youngest half is always known.
      for known in lastInserted.suffix(32) { #expect(!recent.insert(known), "\(known) was forgotten early") }
    }
  }

  @Test("oids that differ only in their high bits do not share a slot for ever")
  func adversarialPatterns() {
    let recent = Memory(capacity: 1 << 14)
    for high: Int64 in 0..<4096 { #expect(recent.insert(high << 50 | 1)) }
    for high: Int64 in 0..<4096 { #expect(!recent.insert(high << 50 | 1)) }
  }
}
