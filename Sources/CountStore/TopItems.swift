public import Counting

/// Whether counts of a range may still grow; a label on an answer, never a filter.
public enum Finality: String, Sendable, CaseIterable {
  /// The range reaches beyond the watermark: events of it are still expected.
  case open
  /// The watermark has passed the range, but late events are still counted in it.
  case settling
  /// Older than the deduplication floor: no event of it will be counted any more.
  case final
}

/// One top list, complete and exact as of one revision.
public struct TopItems: Sendable, Equatable {
  /// One ranked item; rows are ordered by location, then rank.
  public struct Row: Sendable, Equatable {
    /// `geographical_location_oid`; nil when all locations are ranked together.
    public var locationOid: Int64?
    /// `geographical_location`; nil also for a location that counts without a name as yet.
    public var locationName: String?
    /// 1, 2, 3… by count descending, then name in byte order.
    public var rank: Int
    public var itemName: String
    public var count: Int64

    public init(locationOid: Int64?, locationName: String?, rank: Int, itemName: String, count: Int64) {
      self.locationOid = locationOid
      self.locationName = locationName
      self.rank = rank
      self.itemName = itemName
      self.count = count
    }
  }

  /// The range that was counted, widened to whole windows; nil where nothing is counted yet and the
  /// question left that end open.
  public var from: Timestamp?
  public var to: Timestamp?
  /// Grows with every committed batch.
  public var revision: Int64
  /// The event time up to which counts are believed complete; nil before the first event.
  public var watermark: Timestamp?
  public var state: Finality
  public var rows: [Row]

  public init(
    from: Timestamp?, to: Timestamp?, revision: Int64, watermark: Timestamp?, state: Finality, rows: [Row]
  ) {
    self.from = from
    self.to = to
    self.revision = revision
    self.watermark = watermark
    self.state = state
    self.rows = rows
  }
}
