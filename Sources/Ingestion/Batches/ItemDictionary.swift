/// Numbers item names by their bytes, so that an event carries an index instead of a name.
///
/// Bounded: when it holds more than its limits, the caller starts a new generation, and the store asks the database
/// for the names' ids again. (A name is never a `String` key: `String` equates composed and decomposed characters.)
struct ItemDictionary {
  /// Which indexes belong together.
  private(set) var generation = 0
  private var bytes: [UInt8] = []
  private var entries: [Entry] = []
  private var table: [Int32]
  private let maximumCount: Int
  private let maximumBytes: Int
  /// Secret, so that a sender cannot choose names that share one slot.
  private let seed: UInt64 = .random(in: .min ... .max)

  private struct Entry {
    var hash: UInt64
    var start: Int
    var count: Int
  }

  init(maximumCount: Int = 200_000, maximumBytes: Int = 32 << 20) {
    self.maximumCount = maximumCount
    self.maximumBytes = maximumBytes
    table = [Int32](repeating: -1, count: 1024)
  }

  var count: Int { entries.count }

  /// Whether a new generation is due before more names are added.
  var isFull: Bool { entries.count >= maximumCount || bytes.count >= maximumBytes }

  /// The index of a name, which is added if it is new.
  mutating func index(of name: UnsafeRawBufferPointer) -> (index: Int32, isNew: Bool) {
    let hash = hash(name)
    var slot = Int(truncatingIfNeeded: hash) & (table.count - 1)
    while table[slot] >= 0 {
      let entry = entries[Int(table[slot])]
      if entry.hash == hash, entry.count == name.count, equals(entry, name) { return (table[slot], false) }
      slot = (slot + 1) & (table.count - 1)
    }
    let index = Int32(entries.count)
    table[slot] = index
    entries.append(Entry(hash: hash, start: bytes.count, count: name.count))
    bytes.append(contentsOf: name)
    if entries.count * 2 > table.count { grow() }
    return (index, true)
  }

  /// Whether no index of this generation has been given out yet.
  var isEmpty: Bool { entries.isEmpty }

  /// Forgets all names; indexes that were given out are void.
  mutating func startGeneration() {
    generation += 1
    bytes.removeAll(keepingCapacity: bytes.capacity <= maximumBytes)
    entries.removeAll(keepingCapacity: true)
    table.withUnsafeMutableBufferPointer { $0.update(repeating: -1) }
  }

  private func equals(_ entry: Entry, _ name: UnsafeRawBufferPointer) -> Bool {
    bytes.withUnsafeBytes { bytes in
      UnsafeRawBufferPointer(rebasing: bytes[entry.start..<entry.start + entry.count]).elementsEqual(name)
    }
  }

  private mutating func grow() {
    var larger = [Int32](repeating: -1, count: table.count * 2)
    for (index, entry) in entries.enumerated() {
      var slot = Int(truncatingIfNeeded: entry.hash) & (larger.count - 1)
      while larger[slot] >= 0 { slot = (slot + 1) & (larger.count - 1) }
      larger[slot] = Int32(index)
    }
    table = larger
  }

  /// Eight bytes at a time, folded by a 128-bit product (the mixing step of wyhash).
  private func hash(_ name: UnsafeRawBufferPointer) -> UInt64 {
    var hash = seed ^ UInt64(name.count)
    var position = 0
    while position + 8 <= name.count {
      hash = Self.mix(hash, name.loadUnaligned(fromByteOffset: position, as: UInt64.self))
      position += 8
    }
    var rest: UInt64 = 0
    while position < name.count {
      rest = rest << 8 | UInt64(name[position])
      position += 1
    }
    return Self.mix(Self.mix(hash, rest), seed)
  }

  private static func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = (a ^ 0x9e37_79b9_7f4a_7c15).multipliedFullWidth(by: b ^ 0xd6e8_feb8_6659_fd93)
    return product.high ^ product.low
  }
}
