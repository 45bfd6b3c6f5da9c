public import Counting

/// How long the pieces are that a range is divided into.
public enum Bucket: String, Sendable, CaseIterable {
  /// One window.
  case minute = "1m"
  /// Five windows, beginning at whole multiples of five minutes.
  case fiveMinutes = "5m"
  /// A clock hour (UTC).
  case hour = "1h"
  /// A calendar day (UTC).
  case day = "1d"

  /// Its length in microseconds.
  public var length: Int64 {
    switch self {
    case .minute: 60_000_000
    case .fiveMinutes: 300_000_000
    case .hour: 3_600_000_000
    case .day: 86_400_000_000
    }
  }
}

/// One query: how often were the items of a top list seen in each bucket of its range?
public struct SeriesQuery: Sendable, Equatable {
  /// The top list whose items get a series. Its others, shares and comparison are ignored.
  public var topItems: TopItemsQuery
  /// The bucket; a coarser one is used where no counts as fine as this are kept any more.
  public var bucket: Bucket

  /// Takes each property.
  public init(topItems: TopItemsQuery, bucket: Bucket) {
    self.topItems = topItems
    self.bucket = bucket
  }
}

/// The counts of a top list's items in each bucket of its range, complete and exact as of one revision.
public struct Series: Sendable, Equatable {
  /// One item in one bucket; rows are ordered by location, rank, then time, and each item has a row for each bucket.
  public struct Row: Sendable, Equatable {
    /// `geographical_location_oid`; nil when all locations are ranked together.
    public var locationOid: Int64?
    /// `geographical_location`; nil also for a location that counts without a name as yet.
    public var locationName: String?
    /// The start of the bucket; of the first one, that of the range.
    public var start: Timestamp
    /// The end of the bucket, outside it; of the last one, that of the range.
    public var end: Timestamp
    /// The item's rank in the whole range.
    public var rank: Int
    /// As in a top list.
    public var itemName: String
    /// Distinct detections in this bucket; the sum of an item's is its count in the top list.
    public var count: Int64

    /// Takes each property.
    public init(
      locationOid: Int64?,
      locationName: String?,
      start: Timestamp,
      end: Timestamp,
      rank: Int,
      itemName: String,
      count: Int64
    ) {
      self.locationOid = locationOid
      self.locationName = locationName
      self.start = start
      self.end = end
      self.rank = rank
      self.itemName = itemName
      self.count = count
    }
  }

  /// What the response says of itself.
  public var labels: ResultLabels
  /// The bucket that was used.
  public var bucket: Bucket
  /// All of them.
  public var rows: [Row]

  /// Takes each property.
  public init(labels: ResultLabels, bucket: Bucket, rows: [Row]) {
    self.labels = labels
    self.bucket = bucket
    self.rows = rows
  }
}
