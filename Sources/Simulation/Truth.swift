import Counting

/// What a perfect counter would have: counts by location, window and item, and the number of each fate.
///
/// Memory: about 50 bytes for each (location, window, item) that was counted at least once, and half of that
/// again while it is written.
public struct Truth: Sendable {
  /// The key of a count. Items are numbers here; their names come in when the truth is written.
  private struct Key: Hashable, Sendable {
    var windowStart: Int64
    var location: Int32
    var item: Int32
  }

  /// The number of messages of each fate.
  public private(set) var fates = FateCounts()
  private var counts: [Key: Int] = [:]
  private let catalogue: ItemCatalogue

  init(_ catalogue: ItemCatalogue) {
    self.catalogue = catalogue
  }

  /// The number of different (location, window, item).
  public var rows: Int { counts.count }

  mutating func record(_ fate: Fate) {
    fates[fate] += 1
  }

  mutating func count(_ event: SimulatedEvent) {
    let window = Window.start(of: event.detectedAt).microseconds
    counts[Key(windowStart: window, location: event.location, item: event.item), default: 0] += 1
  }

  /// Writes the truth as NDJSON: one line for each (location, window, item), sorted by location, window and the
  /// bytes of the name, then one line with the summary. `body` gets it in pieces of some 64 KiB.
  public func write<Failure: Error>(
    _ body: ([UInt8]) throws(Failure) -> Void
  ) throws(Failure) {
    let order = catalogue.byteOrder
    let sorted = counts.sorted { left, right in
      (left.key.location, left.key.windowStart, order[Int(left.key.item)])
        < (right.key.location, right.key.windowStart, order[Int(right.key.item)])
    }
    var text: [UInt8] = []
    for (key, count) in sorted {
      text.append("{\"geographical_location_oid\":")
      text.append(decimal: Int64(key.location) + 1)
      text.append(",\"window_start\":\"")
      Timestamp(microseconds: key.windowStart).appendRFC3339(to: &text)
      text.append("\",\"item_name\":")
      text.append(contentsOf: catalogue.json[Int(key.item)])
      text.append(",\"item_count\":")
      text.append(decimal: Int64(count))
      text.append("}\n")
      if text.count >= 65_536 {
        try body(text)
        text.removeAll(keepingCapacity: true)
      }
    }
    appendSummary(to: &text)
    try body(text)
  }

  private func appendSummary(to text: inout [UInt8]) {
    text.append("{\"summary\":{\"messages\":")
    text.append(decimal: Int64(fates.total))
    for fate in Fate.allCases {
      text.append(",\"")
      text.append(fate.column)
      text.append("\":")
      text.append(decimal: Int64(fates[fate]))
    }
    text.append("}}\n")
  }
}
