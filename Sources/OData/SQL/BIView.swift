/// The type of a column that BI tools see.
public enum BIType: Sendable, Hashable {
  /// 64 bits.
  case int64
  /// 32 bits; in SQL a `bigint` all the same.
  case int32
  case text
  case timestamp
}

/// A column of a view, or one that a query computes.
public struct BIColumn: Sendable, Hashable {
  /// What the asker calls it.
  public let name: String
  /// What its values are.
  public let type: BIType
  /// Whether it may be NULL.
  public let isNullable: Bool
  /// What SQL calls it: never a text of the asker's.
  let identifier: String

  init(_ name: String, _ type: BIType, isNullable: Bool = false) {
    self.name = name
    self.type = type
    self.isNullable = isNullable
    identifier = name
  }

  /// A column that a query computes.
  ///
  /// - Parameter number: different for each one in a query.
  public init(computed number: Int, name: String, type: BIType, isNullable: Bool = false) {
    self.name = name
    self.type = type
    self.isNullable = isNullable
    identifier = "computed_\(number)"
  }
}

/// The views of the schema `bi` (migrations/0005_bi.sql).
public enum BIView: String, Sendable, CaseIterable {
  /// The items of each location, ranked in each minute.
  case topItemsByMinute = "top_items_by_minute"
  /// The items of each location, ranked in each hour.
  case topItemsByHour = "top_items_by_hour"
  /// The items of each location, ranked in each day (UTC).
  case topItemsByDay = "top_items_by_day"
  /// How often each item was detected at a location in a minute.
  case windowCounts = "window_counts"
  /// Every location.
  case locations = "locations"

  /// Its columns, in their order.
  public var columns: [BIColumn] {
    switch self {
    case .locations: [.locationOid, .location]
    case .windowCounts: [.locationOid, .location, .windowStart, .windowEnd, .itemName, .itemCount]
    case .topItemsByMinute, .topItemsByHour, .topItemsByDay:
      [.locationOid, .location, .windowStart, .windowEnd, .itemRank, .itemName, .itemCount]
    }
  }

  /// The columns that identify a row.
  public var key: [BIColumn] {
    switch self {
    case .locations: [.locationOid]
    case .windowCounts: [.locationOid, .windowStart, .itemName]
    case .topItemsByMinute, .topItemsByHour, .topItemsByDay: [.locationOid, .windowStart, .itemRank]
    }
  }
}

extension BIColumn {
  static let locationOid = BIColumn("geographical_location_oid", .int64)
  static let location = BIColumn("geographical_location", .text, isNullable: true)
  static let windowStart = BIColumn("window_start", .timestamp)
  static let windowEnd = BIColumn("window_end", .timestamp)
  static let itemRank = BIColumn("item_rank", .int32)
  static let itemName = BIColumn("item_name", .text)
  static let itemCount = BIColumn("item_count", .int64)
}
