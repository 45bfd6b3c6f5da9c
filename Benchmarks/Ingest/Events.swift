import Glibc

/// The events of a scenario, the same ones each time: event `n` of a run is a pure function of `n`.
struct Events {
  var locations: UInt64
  var ascending: Bool
  /// Event times go on for this long, so that the counts are spread over this many windows.
  static let minutes: UInt64 = 10
  static let items: UInt64 = 200

  struct Event {
    var oid: Int64
    var location: Int64
    var item: Int
    var milliseconds: Int64
  }

  private let start: Int64
  /// Cumulative weights of a Zipf distribution (s = 1.1), scaled to 2^32.
  private let cumulative: [UInt64]

  init(locations: UInt64, ascending: Bool, startMilliseconds: Int64) {
    self.locations = locations
    self.ascending = ascending
    start = startMilliseconds
    var weights: [Double] = []
    for rank in 1...Self.items { weights.append(1 / pow(Double(rank), 1.1)) }
    let total = weights.reduce(0, +)
    var sum = 0.0
    cumulative = weights.map {
      sum += $0
      return UInt64(sum / total * 4_294_967_296)
    }
  }

  subscript(n: UInt64) -> Event {
    let random = mix(n)
    let draw = random & 0xFFFF_FFFF
    var low = 0
    var high = cumulative.count - 1
    while low < high {
      let middle = (low + high) / 2
      if cumulative[middle] > draw { high = middle } else { low = middle + 1 }
    }
    let location = Int64((random >> 32) % locations) + 1
    // In event time, 20,000 events share a second.
    let milliseconds = start + Int64(n / 20 % (Self.minutes * 60_000))
    return Event(
      oid: ascending ? Int64(n) + 1 : Int64(bitPattern: mix(n &+ 0x5851_F42D_4C95_7F2D) >> 1),
      location: location,
      item: low,
      milliseconds: milliseconds
    )
  }

  /// The message of an event, as a camera would write it (about 170 bytes).
  func write(_ event: Event, into bytes: inout [UInt8]) {
    bytes.removeAll(keepingCapacity: true)
    bytes.append(contentsOf: #"{"geographical_location_oid":"#.utf8)
    append(event.location, to: &bytes)
    bytes.append(contentsOf: #","video_camera_oid":"#.utf8)
    append(event.location * 100 + event.oid % 10, to: &bytes)
    bytes.append(contentsOf: #","detection_oid":"#.utf8)
    append(event.oid, to: &bytes)
    bytes.append(contentsOf: #","item_name":"item number "#.utf8)
    append(Int64(event.item), to: &bytes)
    bytes.append(contentsOf: #"","timestamp_detected":"#.utf8)
    append(event.milliseconds, to: &bytes)
    bytes.append(UInt8(ascii: "}"))
  }

  private func append(_ number: Int64, to bytes: inout [UInt8]) {
    bytes.append(contentsOf: String(number).utf8)
  }
}

/// The finaliser of SplitMix64, a bijection: different numbers give different oids (but for the lost sign bit).
private func mix(_ n: UInt64) -> UInt64 {
  var z = n &* 0x9E37_79B9_7F4A_7C15 &+ 0x1234_5678_9ABC_DEF1
  z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
  z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
  return z ^ (z >> 31)
}
