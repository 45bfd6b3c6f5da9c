import Counting

/// A camera; its number is unique only within its location.
public struct CameraKey: Hashable, Comparable, Sendable {
  /// `geographical_location_oid`
  public var location: Int64
  /// `video_camera_oid`
  public var camera: Int64

  /// Names a camera.
  public init(location: Int64, camera: Int64) {
    self.location = location
    self.camera = camera
  }

  /// By location, then camera: the order in which locks are taken.
  public static func < (a: CameraKey, b: CameraKey) -> Bool {
    a.location == b.location ? a.camera < b.camera : a.location < b.location
  }
}

/// What came of a camera's messages, over a batch or since ever.
public struct CameraTally: Sendable, Equatable {
  /// Counted, and distinct.
  public var counted: Int64 = 0
  /// Counted before.
  public var duplicates: Int64 = 0
  /// Those among the duplicates that say something else than what was counted.
  public var conflicts: Int64 = 0
  /// Put aside as late.
  public var late: Int64 = 0
  /// Put aside as future.
  public var future: Int64 = 0
  /// The largest event time minus database time, microseconds; nil when nothing arrived.
  public var largestSkew: Int64? {
    get { largest == Self.none ? nil : largest }
    set { largest = newValue ?? Self.none }
  }
  /// The last one.
  public var latestSkew: Int64? {
    get { latest == Self.none ? nil : latest }
    set { latest = newValue ?? Self.none }
  }

  /// No event time is so far from any clock. (An optional would take 16 bytes, and there are many tallies.)
  private static var none: Int64 { .min }
  private var largest = Self.none
  private var latest = Self.none

  /// Nothing yet.
  public init() {}

  /// Another message arrives, so far ahead of the database's clock.
  mutating func noteArrival(skew: Int64) {
    largest = max(largest, skew)
    latest = skew
  }

  /// Adds what came later.
  static func += (sum: inout CameraTally, later: CameraTally) {
    sum.counted += later.counted
    sum.duplicates += later.duplicates
    sum.conflicts += later.conflicts
    sum.late += later.late
    sum.future += later.future
    sum.largest = max(sum.largest, later.largest)
    if later.latest != none { sum.latest = later.latest }
  }
}

/// The tallies of a batch or of several, one for each camera, and one for all the others when they are too many.
///
/// Packed closely, since a hundred thousand cameras are no rare case: a `Dictionary` takes two to three times as much.
public struct CameraTallies: Sendable {
  /// Where those cameras are counted that have no tally of their own.
  public static let others: Int32 = 0
  /// A batch that has more cameras than this is no healthy one.
  public static let defaultLimit = 65_536

  /// The cameras by their index; the first stands for the others, and its name for nothing.
  private(set) var keys = [CameraKey(location: 0, camera: 0)]
  private(set) var tallies = [CameraTally()]
  private var table: [Int32] = []
  private let limit: Int
  /// Identifiers come from outside: without a secret, somebody could choose them to share one slot.
  private let seed = UInt64.random(in: .min ... .max)

  /// No cameras yet.
  /// - Parameter limit: how many have a tally of their own.
  public init(limit: Int = defaultLimit) {
    self.limit = limit
  }

  /// A message of this camera arrives.
  /// - Parameter skew: its event time minus the database's time, microseconds; nil for one that arrived before.
  /// - Returns: the camera's index, for `add`.
  public mutating func noteArrival(_ key: CameraKey, skew: Int64?) -> Int32 {
    let index = index(of: key)
    if let skew { tallies[Int(index)].noteArrival(skew: skew) }
    return index
  }

  /// Looks at what `noteArrival` will look at, which is seldom in the processor's nearest caches: whoever does so for
  /// many cameras in a row waits for all of them at once.
  /// - Returns: something that depends on what was found, so that the compiler keeps the look.
  public func touch(_ key: CameraKey) -> Int64 {
    guard !table.isEmpty else { return 0 }
    let index = Int(table[firstSlot(of: key)])
    return keys[index].camera ^ tallies[index].counted
  }

  /// Counts one message.
  public mutating func add(_ fate: Fate, conflicts: Bool = false, to index: Int32) {
    switch fate {
    case .counted: tallies[Int(index)].counted += 1
    case .duplicate:
      tallies[Int(index)].duplicates += 1
      if conflicts { tallies[Int(index)].conflicts += 1 }
    case .late: tallies[Int(index)].late += 1
    case .future: tallies[Int(index)].future += 1
    case .deadLetter, .tombstone: break
    }
  }

  /// Adds what a later batch made of a camera.
  mutating func add(_ tally: CameraTally, of key: CameraKey) {
    tallies[Int(index(of: key))] += tally
  }

  /// The indexes of all cameras but the others, in the order of their keys.
  var order: [Int32] {
    (1..<Int32(keys.count)).sorted { keys[Int($0)] < keys[Int($1)] }
  }

  /// The tally of a camera that has one of its own.
  public subscript(key: CameraKey) -> CameraTally? {
    keys.dropFirst().firstIndex(of: key).map { tallies[$0] }
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
    tallies.append(CameraTally())
    return index
  }

  private mutating func grow() {
    table = [Int32](repeating: 0, count: max(256, table.count * 2))
    // Left to themselves, the arrays would double when they are full.
    let room = min(limit, table.count / 2) + 1
    keys.reserveCapacity(room)
    tallies.reserveCapacity(room)
    for index in keys.indices.dropFirst() { table[slot(of: keys[index])] = Int32(index) }
  }

  /// The slot that holds the camera's index, or the free one where it belongs.
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
