import Foundation
import Testing

@testable import Simulation

@Suite("The Zipf distribution")
struct ZipfDistributionTests {
  @Test("the shares of the ranks fall as 1 / rank^s and add up to 1", arguments: [0, 0.5, 1.1, 3])
  func shares(exponent: Double) {
    let zipf = ZipfDistribution(ranks: 200, exponent: exponent)
    #expect(abs(zipf.probabilities.reduce(0, +) - 1) < 1e-9)
    for (left, right) in zip(zipf.probabilities, zipf.probabilities.dropFirst()) { #expect(left >= right) }
    #expect(abs(zipf.probabilities[0] / zipf.probabilities[9] / pow(10, exponent) - 1) < 1e-9)
  }

  @Test("what is drawn follows the shares", arguments: [1, 2, 7, 200])
  func draws(ranks: Int) {
    let zipf = ZipfDistribution(ranks: ranks, exponent: 1.1)
    var random = SeededRandom(seed: 11)
    var seen = [Int](repeating: 0, count: ranks)
    let draws = 400_000
    for _ in 0..<draws { seen[zipf.draw(&random)] += 1 }
    for (rank, probability) in zipf.probabilities.enumerated() {
      let expected = probability * Double(draws)
      // Six standard deviations: the seed is fixed, so this either always holds or never.
      let tolerance = 6 * (expected * (1 - probability)).squareRoot() + 1e-9
      #expect(abs(Double(seen[rank]) - expected) <= tolerance, "rank \(rank)")
    }
  }
}
