public import Counting

/// Whether counts of a range may still grow; a label on an answer, never a filter.
public enum Finality: String, Sendable, CaseIterable {
  /// The range reaches beyond the watermark: events of it are still expected.
  case open
  /// The watermark has passed the range, but only just: late events of it are likely.
  case settling
  /// The watermark passed the range a while ago. A late event would still count, but is not expected.
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
    /// 1 to 5,000 Unicode scalars of whatever the cameras sent: never trust it in a page or a command.
    public var itemName: String
    /// Distinct detections.
    public var count: Int64

    /// Takes each property.
    public init(locationOid: Int64?, locationName: String?, rank: Int, itemName: String, count: Int64) {
      self.locationOid = locationOid
      self.locationName = locationName
      self.rank = rank
      self.itemName = itemName
      self.count = count
    }
  }

  /// The start of the range that was counted, widened to whole windows (hours or days, where no
  /// minutes are kept any more); nil where nothing is counted yet and the
  /// question left that end open.
  public var from: Timestamp?
  /// The end, outside the range; see `from`.
  public var to: Timestamp?
  /// Grows with every committed batch.
  public var revision: Int64
  /// The event time up to which counts are believed complete; nil before the first event.
  public var watermark: Timestamp?
  /// Whether the counts may still grow.
  public var state: Finality
  /// All of them, ordered by location, then rank.
  public var rows: [Row]

  /// Takes each property.
  public init(
    from: Timestamp?,
    to: Timestamp?,
    revision: Int64,
    watermark: Timestamp?,
    state: Finality,
    rows: [Row]
  ) {
    self.from = from
    self.to = to
    self.revision = revision
    self.watermark = watermark
    self.state = state
    self.rows = rows
  }
}
