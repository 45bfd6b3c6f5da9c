import Counting

/// The counts that a batch of detections adds, one row for each location, window and item, in the order in which
/// every writer takes the rows' locks.
struct WindowedCounts {
  /// One row.
  struct Sum: Comparable {
    var location: Int64
    var windowStart: Int64
    var itemID: Int64
    var count: Int64

    static func < (a: Sum, b: Sum) -> Bool {
      if a.location != b.location { return a.location < b.location }
      if a.windowStart != b.windowStart { return a.windowStart < b.windowStart }
      return a.itemID < b.itemID
    }
  }

  let sums: [Sum]
  /// The same by columns, as they are sent.
  let locations: [Int64]
  let windowStarts: [Int64]
  let itemIDs: [Int64]
  let counts: [Int64]

  /// Sums up those detections that `isCounted` (by their position) lets through; all when it is nil.
  /// `itemIDs` gives the stored id of a dictionary index.
  init(of detections: [Batch.Detection], itemIDs: [Int64], isCounted: [Bool]? = nil) {
    var table = SumTable(capacity: detections.count)
    for (position, detection) in detections.enumerated() where isCounted?[position] ?? true {
      table.add(
        location: detection.location,
        windowStart: Window.start(of: detection.detectedAt).microseconds,
        itemID: itemIDs[Int(detection.item)]
      )
    }
    sums = table.sums.sorted()
    locations = sums.map(\.location)
    windowStarts = sums.map(\.windowStart)
    self.itemIDs = sums.map(\.itemID)
    counts = sums.map(\.count)
  }

  var isEmpty: Bool { sums.isEmpty }

  /// The locations that changed, each once, in order; nil when they are too many to be worth naming.
  func changedLocations(limit: Int = 1000) -> [Int64]? {
    var changed: [Int64] = []
    for sum in sums where changed.last != sum.location {
      if changed.count == limit { return nil }
      changed.append(sum.location)
    }
    return changed
  }
}

/// A hash table of sums. `Dictionary` spends more on its hash than the rest of a batch costs together; the keys' last
/// part is ours (ids are dealt out by the database), and a seed keeps the others from being chosen to collide.
private struct SumTable {
  private(set) var sums: [WindowedCounts.Sum] = []
  private var slots: [Int32]
  private let seed = UInt64.random(in: .min ... .max)

  init(capacity: Int) {
    var size = 64
    while size < capacity * 2 { size *= 2 }
    slots = [Int32](repeating: -1, count: size)
    sums.reserveCapacity(capacity)
  }

  mutating func add(location: Int64, windowStart: Int64, itemID: Int64) {
    var slot = hash(location, windowStart, itemID) & (slots.count - 1)
    while slots[slot] >= 0 {
      let index = Int(slots[slot])
      if sums[index].itemID == itemID, sums[index].location == location,
        sums[index].windowStart == windowStart
      {
        sums[index].count += 1
        return
      }
      slot = (slot + 1) & (slots.count - 1)
    }
    slots[slot] = Int32(sums.count)
    sums.append(WindowedCounts.Sum(location: location, windowStart: windowStart, itemID: itemID, count: 1))
    if sums.count * 2 > slots.count { grow() }
  }

  private mutating func grow() {
    slots = [Int32](repeating: -1, count: slots.count * 2)
    for (index, sum) in sums.enumerated() {
      var slot = hash(sum.location, sum.windowStart, sum.itemID) & (slots.count - 1)
      while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
      slots[slot] = Int32(index)
    }
  }

  private func hash(_ location: Int64, _ windowStart: Int64, _ itemID: Int64) -> Int {
    Int(truncatingIfNeeded: fold(fold(fold(seed, location), windowStart), itemID))
  }

  /// A 128-bit product, its halves folded together (the mixing step of wyhash).
  private func fold(_ hash: UInt64, _ part: Int64) -> UInt64 {
    let product = (hash ^ 0x9E37_79B9_7F4A_7C15).multipliedFullWidth(
      by: UInt64(bitPattern: part) ^ 0xD6E8_FEB8_6659_FD93
    )
    return product.high ^ product.low
  }
}
