import Testing

@testable import Simulation

@Suite("The ranking of items")
struct ItemRankingTests {
  private func order(_ ranking: inout ItemRanking, _ location: Int, at elapsed: Int64, items: Int = 100)
    -> [Int]
  {
    (0..<items).map { ranking.item(rank: $0, location: location, elapsed: elapsed) }
  }

  @Test("each location has its own order of all items, also after a long drift")
  func permutations() {
    var ranking = ItemRanking(locations: 3, items: 100, stepLength: 1, seed: 5)
    for elapsed in [Int64(0), 1, 500, 100_000] {
      let orders = (0..<3).map { order(&ranking, $0, at: elapsed) }
      #expect(orders.allSatisfy { $0.sorted() == Array(0..<100) && $0.last == 99 })
      #expect(Set(orders.map { Array($0.prefix(5)) }).count == 3)
    }
  }

  @Test("the top five change within a minute, and not all at once")
  func drift() {
    var ranking = ItemRanking(locations: 1, items: 100, stepLength: 2_000_000, seed: 5)
    let before = order(&ranking, 0, at: 0).prefix(5)
    let soon = order(&ranking, 0, at: 2_000_000).prefix(5)
    let later = order(&ranking, 0, at: 60_000_000).prefix(5)
    #expect(Set(before).intersection(soon).count >= 4)
    #expect(before != later)
  }

  @Test("without a step length nothing moves")
  func still() {
    var ranking = ItemRanking(locations: 1, items: 100, stepLength: 0, seed: 5)
    #expect(order(&ranking, 0, at: 0) == order(&ranking, 0, at: .max))
  }

  @Test("the smallest catalogues drift without a fault", arguments: 1...12)
  func small(items: Int) {
    var ranking = ItemRanking(locations: 2, items: items, stepLength: 1, seed: 5)
    #expect(order(&ranking, 1, at: 10_000, items: items).sorted() == Array(0..<items))
  }

  @Test("an item's frequency follows its rank")
  func zipf() throws {
    var scenario = mixed
    (scenario.locations, scenario.driftInterval, scenario.duplicates) = (1, 0, 0)
    let events = try decoded(firstSends(messages(40_000, of: scenario)).compactMap(\.payload))
    var frequency: [[UInt8]: Int] = [:]
    for event in events { frequency[event.itemName, default: 0] += 1 }
    let catalogue = ItemCatalogue(items: 200)
    var ranking = ItemRanking(locations: 1, items: 200, stepLength: 0, seed: scenario.seed)
    let top = (0..<5).map { catalogue.names[ranking.item(rank: $0, location: 0, elapsed: 0)] }
    let measured = frequency.sorted { $0.value > $1.value }.prefix(5).map { $0.key }
    #expect(measured == top.map { Array($0.utf8) })
  }
}
