import Counting

/// A time as it is written: the same in many rows, so made once.
struct DisplayTime {
  /// ASCII without anything that would have to be escaped; nil for no time.
  let bytes: [UInt8]?

  init(_ time: Timestamp?, offsetMinutes: Int64 = 0) {
    guard let time else {
      bytes = nil
      return
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(32)
    time.appendRFC3339(to: &bytes, offsetMinutes: offsetMinutes)
    self.bytes = bytes
  }
}

/// Writes times in the zone that was asked for.
struct Clock {
  /// nil: UTC.
  var zone: String?
  /// How far zones are ahead of UTC, in seconds.
  var offsets: @Sendable (_ zone: String, _ times: [Timestamp]) throws -> [Int]

  /// Each time in the zone. A zone whose offset had seconds, a century ago, is shown by the minute, as RFC 3339 can.
  func display(_ times: [Timestamp?]) throws -> [DisplayTime] {
    guard let zone else { return times.map { DisplayTime($0) } }
    let known = Set(times.compactMap { $0 }).sorted()
    let offsets = Dictionary(zip(known, try self.offsets(zone, known)), uniquingKeysWith: { $1 })
    return times.map { time in
      DisplayTime(time, offsetMinutes: time.flatMap { offsets[$0] }.map { Int64($0 / 60) } ?? 0)
    }
  }
}
