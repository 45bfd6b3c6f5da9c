import Glibc

/// The oids of detections that were lately accepted: the memory that spares PostgreSQL the near duplicates.
///
/// Two generations of open-addressing tables bound it: when the younger is full, the older is forgotten. Forgetting
/// is always safe (the unique constraint decides), remembering what was rolled back is not: a rollback must call
/// `removeAll()`. Each oid has its payload's hash beside it, so that a conflict is found.
struct RecentDetections: ~Copyable {
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

  /// Reads the slots that `insert` will read, which are almost never in the processor's caches. Called for many oids
  /// in a row, their cache misses overlap.
  /// - Returns: a value that depends on what was read, so that the compiler keeps the read.
  func touch(_ oid: Int64) -> Int64 { young.firstLook(at: oid) ^ old.firstLook(at: oid) }

  mutating func removeAll() {
    young.removeAll()
    old.removeAll()
  }
}

/// Oids with their payloads' hashes, of fixed capacity and at most half full, so that a probe is short.
private struct OidTable: ~Copyable {
  /// Of each slot the oid (8 bytes) and half of the hash (4 bytes): enough to find conflicts, and memory is what
  /// this costs.
  private let slots: UnsafeMutableRawPointer
  private static var slotBytes: Int { 12 }
  private let bytes: Int
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
    mask = (1 << bits) - 1
    shift = UInt64(64 - bits)
    self.capacity = capacity
    bytes = Self.slotBytes << bits
    // Every access is somewhere else: with pages of 4 KiB most would need a walk through the page tables.
    let hugePage = 2 << 20
    slots = .allocate(byteCount: bytes, alignment: bytes >= hugePage ? hugePage : 16)
    if bytes >= hugePage { madvise(slots, bytes, MADV_HUGEPAGE) }
    memset(slots, 0, bytes)
  }

  deinit { slots.deallocate() }

  var isFull: Bool { count >= capacity }

  func hash(of oid: Int64) -> UInt32? {
    if oid == 0 { return hashOfZero }
    let place = place(of: oid)
    return self.oid(at: place) == oid ? hash(at: place) : nil
  }

  /// - Returns: the hash of the oid that is there already; nil when it was not.
  mutating func insert(_ oid: Int64, hash: UInt32) -> UInt32? {
    if oid == 0 {
      if let hashOfZero { return hashOfZero }
      hashOfZero = hash
    } else {
      let place = place(of: oid)
      if self.oid(at: place) == oid { return self.hash(at: place) }
      slots.storeBytes(of: oid, toByteOffset: place, as: Int64.self)
      slots.storeBytes(of: hash, toByteOffset: place + 8, as: UInt32.self)
    }
    count += 1
    return nil
  }

  mutating func removeAll() {
    guard count > 0 else { return }
    memset(slots, 0, bytes)
    hashOfZero = nil
    count = 0
  }

  func firstLook(at oid: Int64) -> Int64 { self.oid(at: firstSlot(of: oid) * Self.slotBytes) }

  private func oid(at place: Int) -> Int64 { slots.loadUnaligned(fromByteOffset: place, as: Int64.self) }
  private func hash(at place: Int) -> UInt32 {
    slots.loadUnaligned(fromByteOffset: place + 8, as: UInt32.self)
  }

  private func firstSlot(of oid: Int64) -> Int {
    Int(truncatingIfNeeded: (UInt64(bitPattern: oid) &* multiplier) >> shift)
  }

  /// Where the slot begins that holds the oid, or the free one where it belongs.
  private func place(of oid: Int64) -> Int {
    var slot = firstSlot(of: oid)
    while true {
      let found = self.oid(at: slot * Self.slotBytes)
      if found == 0 || found == oid { return slot * Self.slotBytes }
      slot = (slot + 1) & mask
    }
  }
}
