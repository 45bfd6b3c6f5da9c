import Counting

/// The counts that a batch of detections adds, one row for each location, window and item, in the order in which
/// every writer takes the rows' locks.
struct WindowedCounts {
  struct Key: Hashable, Comparable {
    var location: Int64
    var windowStart: Int64
    var itemID: Int64

    static func < (a: Key, b: Key) -> Bool {
      if a.location != b.location { return a.location < b.location }
      if a.windowStart != b.windowStart { return a.windowStart < b.windowStart }
      return a.itemID < b.itemID
    }
  }

  private(set) var locations: [Int64] = []
  private(set) var windowStarts: [Int64] = []
  private(set) var itemIDs: [Int64] = []
  private(set) var counts: [Int64] = []

  /// Sums up those detections that `isCounted` (by their position) lets through; all when it is nil.
  /// `itemIDs` gives the stored id of a dictionary index.
  init(of detections: [Batch.Detection], itemIDs ids: [Int64], isCounted: [Bool]? = nil) {
    var sums: [Key: Int64] = [:]
    sums.reserveCapacity(min(detections.count, 1 << 15))
    for (position, detection) in detections.enumerated() where isCounted?[position] ?? true {
      let key = Key(
        location: detection.location, windowStart: Window.start(of: detection.detectedAt).microseconds,
        itemID: ids[Int(detection.item)])
      sums[key, default: 0] += 1
    }
    let sorted = sums.sorted { $0.key < $1.key }
    locations = sorted.map(\.key.location)
    windowStarts = sorted.map(\.key.windowStart)
    itemIDs = sorted.map(\.key.itemID)
    counts = sorted.map(\.value)
  }

  var isEmpty: Bool { counts.isEmpty }

  /// The locations that changed, each once, in order; nil when they are too many to be worth naming.
  func changedLocations(limit: Int = 1000) -> [Int64]? {
    var changed: [Int64] = []
    for location in locations where changed.last != location {
      if changed.count == limit { return nil }
      changed.append(location)
    }
    return changed
  }
}
