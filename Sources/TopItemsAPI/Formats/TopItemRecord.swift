import CountStore
import Counting

/// A row of a top list as it is written.
struct TopItemRecord: Record {
  var row: TopItems.Row
  var start: DisplayTime
  var end: DisplayTime
  var hasShare: Bool
  var isCompared: Bool

  func write(to writer: inout some RecordWriter) {
    writer.beginRecord()
    writer.identifier("geographical_location_oid", row.locationOid)
    writer.text("geographical_location", row.locationName)
    writer.time("window_start", start)
    writer.time("window_end", end)
    writer.integer("item_rank", row.rank.map(Int64.init))
    writer.text("item_name", row.itemName)
    writer.integer("item_count", row.count)
    if hasShare { writer.millionths("share", row.share) }
    if isCompared {
      writer.integer("previous_rank", row.previousRank.map(Int64.init))
      writer.integer("previous_count", row.previousCount)
      writer.integer("delta", row.previousCount.map { row.count - $0 })
      writer.text("change", row.change?.rawValue)
    }
    writer.endRecord()
  }
}

extension TopItems.Row {
  /// How an item stands compared with the previous range.
  enum Change: String, CaseIterable {
    /// It was not counted then.
    case new
    case up
    case down
    case same
    /// It was among the best then, and is not any more.
    case out
  }

  /// Nil for the rest, or where nothing is compared.
  var change: Change? {
    guard previousCount != nil else { return nil }
    guard let rank else { return .out }
    guard let previousRank else { return .new }
    return rank < previousRank ? .up : rank > previousRank ? .down : .same
  }

  /// The part of its location's total in millionths, rounded; nil where no total was asked for.
  var share: Int64? {
    // An item that dropped out and is not counted at all has no total beside it.
    if count == 0 { return 0 }
    guard let total, total >= count else { return nil }
    let (quotient, remainder) = total.dividingFullWidth(count.multipliedFullWidth(by: 1_000_000))
    return remainder >= total - remainder ? quotient + 1 : quotient
  }
}
