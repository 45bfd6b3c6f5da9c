/// The oids of detections that were lately accepted: the memory that spares PostgreSQL the near duplicates.
///
/// Two generations of open-addressing tables bound it: when the younger is full, the older is forgotten. Forgetting
/// is always safe (the unique constraint is the judge), remembering what was rolled back is not: whoever rolls back
/// calls `removeAll()`.
struct RecentDetections {
  private var young: OidSet
  private var old: OidSet

  /// - Parameter capacity: how many oids are remembered at most; at least half as many are.
  init(capacity: Int) {
    let generation = max(capacity / 2, 16)
    young = OidSet(capacity: generation)
    old = OidSet(capacity: generation)
  }

  var count: Int { young.count + old.count }

  /// Remembers an oid.
  /// - Returns: whether it is new; a remembered one stays as it is.
  mutating func insert(_ oid: Int64) -> Bool {
    if old.contains(oid) { return false }
    guard young.insert(oid) else { return false }
    if young.isFull {
      swap(&young, &old)
      young.removeAll()
    }
    return true
  }

  mutating func removeAll() {
    young.removeAll()
    old.removeAll()
  }
}

/// A set of 64-bit integers of fixed capacity, at most half full, so that a probe is short.
private struct OidSet {
  private var slots: [Int64]
  private let mask: Int
  private let shift: UInt64
  private let capacity: Int
  private var hasZero = false
  private(set) var count = 0

  /// Multiplying by an odd random number before taking the top bits keeps chosen oids from sharing a slot.
  private let multiplier: UInt64 = .random(in: .min ... .max) | 1

  init(capacity: Int) {
    var bits = 5
    while 1 << bits < capacity * 2 { bits += 1 }
    slots = [Int64](repeating: 0, count: 1 << bits)
    mask = (1 << bits) - 1
    shift = UInt64(64 - bits)
    self.capacity = capacity
  }

  var isFull: Bool { count >= capacity }

  func contains(_ oid: Int64) -> Bool {
    oid == 0 ? hasZero : slots[slot(of: oid)] == oid
  }

  /// - Returns: whether the oid was not in the set.
  mutating func insert(_ oid: Int64) -> Bool {
    if oid == 0 {
      if hasZero { return false }
      hasZero = true
    } else {
      let slot = slot(of: oid)
      if slots[slot] == oid { return false }
      slots[slot] = oid
    }
    count += 1
    return true
  }

  mutating func removeAll() {
    guard count > 0 else { return }
    slots.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
    hasZero = false
    count = 0
  }

  /// The slot that holds the oid, or the free one where it belongs.
  private func slot(of oid: Int64) -> Int {
    slots.withUnsafeBufferPointer { slots in
      var slot = Int(truncatingIfNeeded: (UInt64(bitPattern: oid) &* multiplier) >> shift)
      while slots[slot] != 0 && slots[slot] != oid { slot = (slot + 1) & mask }
      return slot
    }
  }
}
