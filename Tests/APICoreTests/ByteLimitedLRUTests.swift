import APICore
import TestSupport
import Testing

@Suite("Values within a limit of bytes, the least recently used removed first")
struct ByteLimitedLRUTests {
  private typealias Values = ByteLimitedLRU<Int, Int>

  /// What the values are to be, with nothing but an array: the results in the order of their last use.
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
    let capacity = Values.entryBytes * Int.random(in: 1...12, using: &random)
    var values = Values(capacity: capacity, idleLimit: .seconds(60))
    var model = Model(capacity: capacity, idleLimit: .seconds(60))
    var now = ContinuousClock.now
    for key in 0..<1000 {
      // Sometimes exactly as much as there is room for, and more.
      let bytes = [0, 1, 300, capacity / 2, capacity - Values.entryBytes, capacity].randomElement(
        using: &random
      )
      values.put(key, bytes ?? 0, under: key, now)
      model.put((bytes ?? 0) + Values.entryBytes, under: key, now)
      for _ in 0..<Int.random(in: 0..<3, using: &random) {
        let wanted = max(0, key - Int.random(in: 0..<16, using: &random))
        #expect((values.use(wanted, now) == wanted) == model.use(wanted, now))
      }
      #expect(values.bytes == model.bytes && values.bytes <= capacity)
      now += .seconds([0, 0, 1, 20, 60, 61].randomElement(using: &random) ?? 0)
    }
  }
}
