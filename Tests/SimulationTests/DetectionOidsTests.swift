import Testing

@testable import Simulation

@Suite("Detection identifiers")
struct DetectionOidsTests {
  @Test("are positive and never repeat", arguments: Scenario.OidOrder.allCases)
  func distinct(order: Scenario.OidOrder) {
    var oids = DetectionOids(order: order, seed: 9)
    var seen: Set<Int64> = []
    for _ in 0..<200_000 {
      let oid = oids.next()
      #expect(oid > 0)
      seen.insert(oid)
    }
    #expect(seen.count == 200_000)
  }

  @Test("ascend by one, if so wanted")
  func ascending() {
    var oids = DetectionOids(order: .ascending, seed: 9)
    let first = oids.next()
    #expect((1...1_000).allSatisfy { oids.next() == first + $0 })
  }

  @Test("the permutation stays within 63 bits and can be undone", arguments: 0..<63)
  func bijection(bit: Int) {
    // Flipping any bit of the input changes the output: no two inputs that differ in one bit collide.
    for value in [0, 1, UInt64(1) << 62, 0x1234_5678_9ABC_DEF0, UInt64.max >> 1] {
      let left = DetectionOids.permute(value & (UInt64.max >> 1))
      let right = DetectionOids.permute((value ^ (1 << UInt64(bit))) & (UInt64.max >> 1))
      #expect(left != right && left >> 63 == 0)
    }
  }
}
