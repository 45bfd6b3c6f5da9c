import TestSupport

extension Int64 {
  /// Any number, the ends and small ones often.
  static func anyOid(using random: inout SeededGenerator) -> Int64 {
    let edges: [Int64] = [0, -1, 1, .min, .max, .min + 1, .max - 1]
    return switch Int.random(in: 0..<4, using: &random) {
    case 0: edges[Int.random(in: edges.indices, using: &random)]
    case 1: .random(in: -1_000...1_000, using: &random)
    default: .random(in: .min ... .max, using: &random)
    }
  }
}
