import TestSupport
import Testing

@testable import Ingestion

/// A reference, since `#expect` takes its arguments as constants.
private final class Names {
  private var items: ItemDictionary
  init(maximumCount: Int = 200_000, maximumBytes: Int = 32 << 20) {
    items = ItemDictionary(maximumCount: maximumCount, maximumBytes: maximumBytes)
  }

  func add(_ name: String) -> (Int32, Bool) { add(Array(name.utf8)) }

  func add(_ name: [UInt8]) -> (Int32, Bool) {
    let found = name.withUnsafeBytes { items.index(of: $0) }
    return (found.index, found.isNew)
  }

  func startGeneration() { items.startGeneration() }
  var count: Int { items.count }
  var generation: Int { items.generation }
  var isFull: Bool { items.isFull }
}

@Suite("the dictionary of item names")
struct ItemDictionaryTests {
  @Test("a name is known by its bytes: composed and decomposed é are two items")
  func bytesNotCharacters() {
    let items = Names()
    let composed = "caf\u{E9}"
    let decomposed = "cafe\u{301}"
    #expect(composed == decomposed, "Swift takes them for equal, which is the trap")
    #expect(items.add(composed) == (0, true))
    #expect(items.add(decomposed) == (1, true))
    #expect(items.add(composed) == (0, false))
    #expect(items.add(decomposed) == (1, false))
    #expect(items.count == 2)
  }

  @Test("names that are prefixes of each other, or differ in one byte of any position, are different items")
  func similarNames() {
    let items = Names()
    var names: [[UInt8]] = []
    for length in 1...40 {
      let base = [UInt8](repeating: 0x61, count: length)
      names.append(base)
      for position in 0..<length {
        var other = base
        other[position] = 0x62
        names.append(other)
      }
    }
    for (index, name) in names.enumerated() { #expect(items.add(name) == (Int32(index), true)) }
    for (index, name) in names.enumerated() { #expect(items.add(name) == (Int32(index), false)) }
  }

  @Test("20,000 names keep their numbers while the table grows")
  func growth() {
    let items = Names()
    for number in 0..<20_000 { #expect(items.add("item \(number)") == (Int32(number), true)) }
    for number in 0..<20_000 { #expect(items.add("item \(number)") == (Int32(number), false)) }
  }

  @Test("a new generation knows nothing, counts from 0 again and has another number")
  func generations() {
    let items = Names()
    _ = items.add("box")
    _ = items.add("crate")
    let before = items.generation
    items.startGeneration()
    #expect(items.generation != before)
    #expect(items.count == 0)
    #expect(items.add("crate") == (0, true))
    #expect(items.add("box") == (1, true))
  }

  @Test("it is full by its number of names, or by their bytes, and a generation empties it")
  func limits() {
    let byCount = Names(maximumCount: 3, maximumBytes: 1 << 20)
    for name in ["a", "b"] { _ = byCount.add(name) }
    #expect(!byCount.isFull)
    _ = byCount.add("b")
    #expect(!byCount.isFull)
    _ = byCount.add("c")
    #expect(byCount.isFull)
    byCount.startGeneration()
    #expect(!byCount.isFull)

    let byBytes = Names(maximumCount: 100, maximumBytes: 10)
    _ = byBytes.add("123456789")
    #expect(!byBytes.isFull)
    _ = byBytes.add("0")
    #expect(byBytes.isFull)
    byBytes.startGeneration()
    #expect(!byBytes.isFull)
  }

  @Test("it agrees with a dictionary of byte arrays", arguments: [11, 12, 13] as [UInt64])
  func property(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let items = Names()
    var model: [[UInt8]: Int32] = [:]
    for _ in 0..<5000 {
      let length = Int.random(in: 1...12, using: &random)
      let name = (0..<length).map { _ in UInt8.random(in: 0...2, using: &random) }
      let (index, isNew) = items.add(name)
      #expect(isNew == (model[name] == nil))
      #expect(index == model[name, default: Int32(model.count)])
      model[name] = index
    }
  }
}
