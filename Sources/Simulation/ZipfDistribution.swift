import Glibc

/// Ranks drawn with a probability proportional to `1 / (rank + 1)^exponent`: a few are seen all the time,
/// most hardly ever.
///
/// Walker's alias method: one random number and one table row a draw, whatever the number of ranks.
struct ZipfDistribution: Sendable {
  /// The share of each rank, largest first; the shares add up to 1.
  let probabilities: [Double]
  private let keep: [Double]
  private let alias: [Int32]

  init(ranks: Int, exponent: Double) {
    let weights = (1...ranks).map { pow(Double($0), -exponent) }
    let sum = weights.reduce(0, +)
    probabilities = weights.map { $0 / sum }
    (keep, alias) = Self.aliasTable(probabilities)
  }

  /// A rank in `0..<probabilities.count`; 0 is the most frequent one.
  func draw(_ random: inout SeededRandom) -> Int {
    let column = random.below(keep.count)
    return random.unit() < keep[column] ? column : Int(alias[column])
  }

  /// Every column of the table holds its own rank and at most one other: the rank with too little
  /// probability is filled up from one with too much.
  private static func aliasTable(_ probabilities: [Double]) -> (keep: [Double], alias: [Int32]) {
    let count = probabilities.count
    var remaining = probabilities.map { $0 * Double(count) }
    var keep = [Double](repeating: 1, count: count)
    var alias = [Int32](repeating: 0, count: count)
    var small = remaining.indices.filter { remaining[$0] < 1 }
    var large = remaining.indices.filter { remaining[$0] >= 1 }
    while let poor = small.popLast(), let rich = large.popLast() {
      keep[poor] = remaining[poor]
      alias[poor] = Int32(rich)
      remaining[rich] -= 1 - remaining[poor]
      if remaining[rich] < 1 { small.append(rich) } else { large.append(rich) }
    }
    return (keep, alias)  // whatever is left over is 1 but for rounding
  }
}
