/// Hands out `detection_oid`s: positive 64-bit integers, never the same twice.
struct DetectionOids: Sendable {
  private static let bits: UInt64 = (1 << 63) - 1
  private let order: Scenario.OidOrder
  private var counter: UInt64

  /// Each seed starts at its own place in one permutation of 0..<2^63. Two simulators therefore collide only
  /// if their starting places are nearer than the events they send: for 10^9 events each, once in 5 × 10^9
  /// pairs of seeds. (With a permutation per seed, the birthday paradox would make it once in ten.)
  init(order: Scenario.OidOrder, seed: UInt64) {
    self.order = order
    var random = SeededRandom(seed: seed, stream: 0x6F69_6473)
    // Ascending ones start low enough to never run out of positive numbers.
    counter = random.next() & (order == .ascending ? Self.bits >> 1 : Self.bits)
  }

  mutating func next() -> Int64 {
    while true {
      counter = (counter &+ 1) & Self.bits
      let oid = order == .ascending ? counter : Self.permute(counter)
      if oid != 0 { return Int64(oid) }
    }
  }

  /// A bijection on 63 bits: additions, multiplications by odd numbers modulo 2^63 and right shifts that are
  /// xored in can all be undone.
  static func permute(_ value: UInt64) -> UInt64 {
    var z = value & bits
    z = ((z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9) & bits
    z = ((z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB) & bits
    z = ((z ^ (z >> 32)) &* 0xD6E8_FEB8_6659_FD93) & bits
    return z ^ (z >> 31)
  }
}
