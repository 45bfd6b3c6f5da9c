import Counting
import Testing

@Suite("Fates")
struct FateTests {
  @Test("the names are stable")
  func names() {
    #expect(
      Fate.allCases.map(\.rawValue) == ["counted", "duplicate", "late", "future", "dead_letter", "tombstone"]
    )
  }

  @Test("each fate has a count of its own, and the total is their sum")
  func counts() {
    var counts = FateCounts()
    #expect(counts.total == 0)
    for (index, fate) in Fate.allCases.enumerated() { counts[fate] += 1 << index }
    #expect(
      [counts.counted, counts.duplicate, counts.late, counts.future, counts.deadLetter, counts.tombstone]
        == [1, 2, 4, 8, 16, 32]
    )
    #expect(Fate.allCases.map { counts[$0] } == [1, 2, 4, 8, 16, 32])
    counts += counts
    #expect(counts.total == 126)
    #expect(counts.tombstone == 64)
  }
}
