import Foundation
import TestSupport
import Testing

@testable import TopItemsAPI

@Suite("Results that are read page by page")
struct ResultSetsTests {
  private typealias Shelf = ByteLimitedLRU<Int, Int>

  /// What the shelf is to be, with nothing but an array: the results in the order of their last use.
  private struct Model {
    var held: [(key: Int, bytes: Int, lastUse: ContinuousClock.Instant)] = []
    let capacity: Int
    let idleLimit: Duration

    var bytes: Int { held.reduce(0) { $0 + $1.bytes } }

    mutating func put(_ bytes: Int, under key: Int, _ now: ContinuousClock.Instant) {
      expire(now)
      guard bytes <= capacity else { return }
      held.append((key, bytes, now))
      while self.bytes > capacity { held.removeFirst() }
    }

    mutating func use(_ key: Int, _ now: ContinuousClock.Instant) -> Bool {
      expire(now)
      guard let index = held.firstIndex(where: { $0.key == key }) else { return false }
      var entry = held.remove(at: index)
      entry.lastUse = now
      held.append(entry)
      return true
    }

    private mutating func expire(_ now: ContinuousClock.Instant) {
      held.removeAll { now - $0.lastUse > idleLimit }
    }
  }

  @Test(
    "they leave when they were idle for long, and the least used when there is no room",
    arguments: 0..<40
  )
  func law(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let capacity = Shelf.entryBytes * Int.random(in: 1...12, using: &random)
    var shelf = Shelf(capacity: capacity, idleLimit: .seconds(60))
    var model = Model(capacity: capacity, idleLimit: .seconds(60))
    var now = ContinuousClock.now
    for key in 0..<1000 {
      // Sometimes exactly as much as there is room for, and more.
      let bytes = [0, 1, 300, capacity / 2, capacity - Shelf.entryBytes, capacity].randomElement(
        using: &random
      )
      shelf.put(key, bytes ?? 0, under: key, now)
      model.put((bytes ?? 0) + Shelf.entryBytes, under: key, now)
      for _ in 0..<Int.random(in: 0..<3, using: &random) {
        let wanted = max(0, key - Int.random(in: 0..<16, using: &random))
        #expect((shelf.use(wanted, now) == wanted) == model.use(wanted, now))
      }
      #expect(shelf.bytes == model.bytes && shelf.bytes <= capacity)
      now += .seconds([0, 0, 1, 20, 60, 61].randomElement(using: &random) ?? 0)
    }
  }

  @Test("a result comes back as it was, with its question, for as long as there is room")
  func contents() {
    let kept = ResultSets(capacity: 5000)
    let result = EncodedResult(meta: [1], records: Array(repeating: 2, count: 1500), ends: [700, 1500])
    let (first, second) = (kept.keep(result, question: "a"), kept.keep(result, question: "b"))
    #expect(kept.find(first)?.question == "a")
    let third = kept.keep(result, question: "c")
    #expect(kept.find(second) == nil)
    let held = kept.find(third)
    #expect(held?.question == "c" && held?.result.meta == [1] && held?.result.ends == [700, 1500])
    #expect(held?.result.records == result.records)
    let large = EncodedResult(meta: [], records: Array(repeating: 0, count: 5000), ends: [])
    #expect(kept.find(kept.keep(large, question: "d")) == nil)
    #expect(kept.find(first) != nil, "one that is larger than all that may be kept makes no room for itself")
  }

  /// In a process of its own, where nothing else allocates: more results than there is room for, as small as the API
  /// makes them.
  @Test("the memory that they take is no more than what is counted")
  func memory() async {
    await #expect(processExitsWith: .success) {
      let kept = ResultSets(capacity: 64 << 20)
      let empty = try residentBytes()
      for number in 0..<50_000 {
        var writer = EnvelopeWriter(integers: .string)
        for location: Int64 in 1...2 { try writer.add(LocationRecord(oid: location, name: "Gate")) }
        var meta = JSONWriter()
        meta.string(String(repeating: "m", count: 600))
        var question = "/v1/top-items?"
        for location in 0..<(number % 200) { question += "location=\(location)&" }
        _ = kept.keep(writer.result(meta: meta.bytes), question: question)
      }
      // A sanitizer (deploy/dev/sanitize) has a heap of its own kind.
      guard ProcessInfo.processInfo.environment["ASAN_OPTIONS"] == nil else { return }
      let taken = try residentBytes() - empty
      #expect(taken <= kept.bytes, "\(taken) of \(kept.bytes) bytes")
    }
  }
}

private func residentBytes() throws -> Int {
  let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
  return try #require(Int(pages[1])) * sysconf(Int32(_SC_PAGESIZE))
}
