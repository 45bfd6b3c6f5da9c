/// The oids of detections that were lately accepted: the memory that spares PostgreSQL the near duplicates.
///
/// Two generations of open-addressing tables bound it: when the younger is full, the older is forgotten. Forgetting
/// is always safe (the unique constraint is the judge), remembering what was rolled back is not: whoever rolls back
/// calls `removeAll()`. Beside each oid stands its payload's hash, to tell a resend from a contradiction.
struct RecentDetections {
  private var young: OidTable
  private var old: OidTable

  /// - Parameter capacity: how many oids are remembered at most; at least half as many are.
  init(capacity: Int) {
    let generation = max(capacity / 2, 16)
    young = OidTable(capacity: generation)
    old = OidTable(capacity: generation)
  }

  var count: Int { young.count + old.count }

  /// What is known of an oid.
  enum Memory {
    case new
    case known
    /// Known, with another hash: another payload.
    case conflicting
  }

  /// Remembers an oid with its payload's hash.
  /// - Returns: whether it is new; a remembered one stays as it is.
  mutating func insert(_ oid: Int64, hash: Int64) -> Memory {
    let hash = UInt32(truncatingIfNeeded: hash)
    if let known = old.hash(of: oid) { return known == hash ? .known : .conflicting }
    if let known = young.insert(oid, hash: hash) { return known == hash ? .known : .conflicting }
    if young.isFull {
      swap(&young, &old)
      young.removeAll()
    }
    return .new
  }

  mutating func removeAll() {
    young.removeAll()
    old.removeAll()
  }
}

/// Oids with their payloads' hashes, of fixed capacity and at most half full, so that a probe is short.
private struct OidTable {
  private var oids: [Int64]
  /// Half of each hash, by slot: enough to tell payloads apart, and memory is what this costs.
  private var hashes: [UInt32]
  private let mask: Int
  private let shift: UInt64
  private let capacity: Int
  /// The hash of the oid 0, which marks a free slot.
  private var hashOfZero: UInt32?
  private(set) var count = 0

  /// Multiplying by an odd random number before taking the top bits keeps chosen oids from sharing a slot.
  private let multiplier: UInt64 = .random(in: .min ... .max) | 1

  init(capacity: Int) {
    var bits = 5
    while 1 << bits < capacity * 2 { bits += 1 }
    oids = [Int64](repeating: 0, count: 1 << bits)
    hashes = [UInt32](repeating: 0, count: 1 << bits)
    mask = (1 << bits) - 1
    shift = UInt64(64 - bits)
    self.capacity = capacity
  }

  var isFull: Bool { count >= capacity }

  func hash(of oid: Int64) -> UInt32? {
    if oid == 0 { return hashOfZero }
    let slot = slot(of: oid)
    return oids[slot] == oid ? hashes[slot] : nil
  }

  /// - Returns: the hash of the oid that is there already; nil when it was not.
  mutating func insert(_ oid: Int64, hash: UInt32) -> UInt32? {
    if oid == 0 {
      if let hashOfZero { return hashOfZero }
      hashOfZero = hash
    } else {
      let slot = slot(of: oid)
      if oids[slot] == oid { return hashes[slot] }
      oids[slot] = oid
      hashes[slot] = hash
    }
    count += 1
    return nil
  }

  mutating func removeAll() {
    guard count > 0 else { return }
    oids.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
    hashOfZero = nil
    count = 0
  }

  /// The slot that holds the oid, or the free one where it belongs.
  private func slot(of oid: Int64) -> Int {
    oids.withUnsafeBufferPointer { oids in
      var slot = Int(truncatingIfNeeded: (UInt64(bitPattern: oid) &* multiplier) >> shift)
      while oids[slot] != 0 && oids[slot] != oid { slot = (slot + 1) & mask }
      return slot
    }
  }
}
