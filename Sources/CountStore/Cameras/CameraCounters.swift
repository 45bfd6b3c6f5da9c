import Counting

/// A camera: its number is unique only within its location.
public struct CameraKey: Hashable, Comparable, Sendable {
  /// `geographical_location_oid`
  public var location: Int64
  /// `video_camera_oid`
  public var camera: Int64

  /// The camera with this number at this location.
  public init(location: Int64, camera: Int64) {
    self.location = location
    self.camera = camera
  }

  /// By location, then camera: the order in which locks are taken.
  public static func < (a: CameraKey, b: CameraKey) -> Bool {
    a.location == b.location ? a.camera < b.camera : a.location < b.location
  }
}

/// How many of a camera's messages had which fate, in one batch or in all.
public struct CameraCounters: Sendable, Equatable {
  /// Distinct events that are counted.
  public var counted: Int64 = 0
  /// Events whose oid was counted before.
  public var duplicates: Int64 = 0
  /// Duplicates whose payload differs from the event that was counted.
  public var conflicts: Int64 = 0
  /// Events quarantined as late.
  public var late: Int64 = 0
  /// Events quarantined as future.
  public var future: Int64 = 0
  /// The largest event time minus database time, in microseconds; nil when nothing arrived.
  public var largestSkew: Int64? {
    get { largest == Self.none ? nil : largest }
    set { largest = newValue ?? Self.none }
  }
  /// The last event time minus database time, in microseconds; nil when nothing arrived.
  public var latestSkew: Int64? {
    get { latest == Self.none ? nil : latest }
    set { latest = newValue ?? Self.none }
  }

  /// Stands for nil: no event time is that far from any clock. An optional would take 16 bytes of each camera's
  /// counters.
  private static var none: Int64 { .min }
  private var largest = Self.none
  private var latest = Self.none

  /// Counters of no messages.
  public init() {}

  /// Records the skew of a message that arrived.
  mutating func recordArrival(skew: Int64) {
    largest = max(largest, skew)
    latest = skew
  }
}

/// A batch's counters: one for each camera up to a limit, and one for all further cameras together.
///
/// An open-addressing table of indexes: a `Dictionary` takes two to three times as much memory.
public struct CameraCounterTable: Sendable {
  /// The index of the counters of all cameras that have none of their own.
  public static let others: Int32 = 0
  /// How many cameras of one batch have counters of their own by default.
  public static let defaultLimit = 65_536

  /// The cameras by index. The first element is a placeholder for `others`.
  private(set) var keys = [CameraKey(location: 0, camera: 0)]
  private(set) var counters = [CameraCounters()]
  private var table: [Int32] = []
  private let limit: Int
  /// Secret, so that a sender cannot choose identifiers that share one slot.
  private let seed = UInt64.random(in: .min ... .max)

  /// Counters of no cameras.
  /// - Parameter limit: how many cameras have counters of their own.
  public init(limit: Int = defaultLimit) {
    self.limit = limit
  }

  /// Records that a message of this camera arrived.
  /// - Parameter skew: its event time minus the database's time, in microseconds; nil for one that arrived before.
  /// - Returns: the camera's index, for `add`.
  public mutating func recordArrival(_ key: CameraKey, skew: Int64?) -> Int32 {
    let index = index(of: key)
    if let skew { counters[Int(index)].recordArrival(skew: skew) }
    return index
  }

  /// Reads what `recordArrival` will read, which is seldom in the processor's nearest caches. Called for many cameras
  /// in a row, their cache misses overlap.
  /// - Returns: a value that depends on what was read, so that the compiler keeps the read.
  public func touch(_ key: CameraKey) -> Int64 {
    guard !table.isEmpty else { return 0 }
    let index = Int(table[firstSlot(of: key)])
    return keys[index].camera ^ counters[index].counted
  }

  /// Counts one message.
  public mutating func add(_ fate: Fate, conflicts: Bool = false, to index: Int32) {
    switch fate {
    case .counted: counters[Int(index)].counted += 1
    case .duplicate:
      counters[Int(index)].duplicates += 1
      if conflicts { counters[Int(index)].conflicts += 1 }
    case .late: counters[Int(index)].late += 1
    case .future: counters[Int(index)].future += 1
    case .deadLetter, .tombstone: break
    }
  }

  /// The counters of a camera that has counters of its own.
  public subscript(key: CameraKey) -> CameraCounters? {
    keys.dropFirst().firstIndex(of: key).map { counters[$0] }
  }

  private mutating func index(of key: CameraKey) -> Int32 {
    guard limit > 0 else { return Self.others }
    if keys.count * 2 > table.count { grow() }
    let slot = slot(of: key)
    if table[slot] > 0 { return table[slot] }
    guard keys.count <= limit else { return Self.others }
    let index = Int32(keys.count)
    table[slot] = index
    keys.append(key)
    counters.append(CameraCounters())
    return index
  }

  private mutating func grow() {
    table = [Int32](repeating: 0, count: max(256, table.count * 2))
    // Without this, the arrays double when they are full.
    let room = min(limit, table.count / 2) + 1
    keys.reserveCapacity(room)
    counters.reserveCapacity(room)
    for index in keys.indices.dropFirst() { table[slot(of: keys[index])] = Int32(index) }
  }

  /// The slot that holds the camera's index, or the free slot for it.
  private func slot(of key: CameraKey) -> Int {
    var slot = firstSlot(of: key)
    while table[slot] > 0 && keys[Int(table[slot])] != key { slot = (slot + 1) & (table.count - 1) }
    return slot
  }

  private func firstSlot(of key: CameraKey) -> Int {
    let first = (UInt64(bitPattern: key.location) ^ seed).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
    let second = (UInt64(bitPattern: key.camera) ^ first.high ^ first.low)
      .multipliedFullWidth(by: 0xd6e8_feb8_6659_fd93)
    return Int(truncatingIfNeeded: second.high ^ second.low) & (table.count - 1)
  }
}
