/// Which item holds which rank at each location: its own order for every location, drifting as time goes by,
/// so that top lists differ between places and visibly move.
///
/// Memory: 4 bytes for each location and item.
struct ItemRanking: Sendable {
  /// A location that saw nothing for longer than this many steps does not make up for all of them.
  private static let mostStepsAtOnce: Int64 = 1_000

  private let items: Int
  private let stepLength: Int64
  /// The last rank never moves: it belongs to the very long name, which would fill the traffic at the top.
  private let movable: Int
  private var itemAtRank: [Int32]
  private var random: [SeededRandom]
  private var stepsDone: [Int64]

  /// - Parameter stepLength: the time between two changes of one location's order, in microseconds; 0 for no
  ///   drift at all.
  init(locations: Int, items: Int, stepLength: Int64, seed: UInt64) {
    self.items = items
    self.stepLength = stepLength
    movable = items - 1
    itemAtRank = []
    itemAtRank.reserveCapacity(locations * items)
    random = []
    stepsDone = [Int64](repeating: 0, count: locations)
    for location in 0..<locations {
      var own = SeededRandom(seed: seed, stream: 0x7261_6E6B + UInt64(location))
      itemAtRank += 0..<Int32(items)
      // Fisher and Yates's shuffle, spelled out: the standard library does not promise the same order in
      // every release, while a seed does.
      for rank in stride(from: items - 2, to: 0, by: -1) {
        itemAtRank.swapAt(location * items + rank, location * items + own.below(rank + 1))
      }
      random.append(own)
    }
  }

  /// The item at `rank` of `location`, `elapsed` microseconds after the beginning.
  mutating func item(rank: Int, location: Int, elapsed: Int64) -> Int {
    if stepLength > 0 {
      let steps = elapsed / stepLength
      if steps > stepsDone[location] {
        for _ in 0..<min(steps - stepsDone[location], Self.mostStepsAtOnce) { drift(location) }
        stepsDone[location] = steps
      }
    }
    return Int(itemAtRank[location * items + rank])
  }

  /// Two neighbours near the top change places; now and then, a newcomer enters the top five.
  private mutating func drift(_ location: Int) {
    guard movable >= 2 else { return }
    let first = location * items
    if movable > 8, random[location].below(6) == 0 {
      let from = 5 + random[location].below(min(movable, 40) - 5)
      let to = random[location].below(5)
      for rank in stride(from: from, to: to, by: -1) { itemAtRank.swapAt(first + rank, first + rank - 1) }
    } else {
      let rank = random[location].below(min(movable - 1, 12))
      itemAtRank.swapAt(first + rank, first + rank + 1)
    }
  }
}
