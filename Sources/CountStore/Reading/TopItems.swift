public import Counting

/// Whether counts of a range may still grow; a label on a response, never a filter.
public enum Finality: String, Sendable, CaseIterable {
  /// The range reaches beyond the watermark: events of it are still expected.
  case open
  /// The watermark has passed the range, but only just: late events of it are likely.
  case settling
  /// The watermark passed the range a while ago. A late event would still count, but is not expected.
  case final
}

/// What a response says of itself. All of it is of one snapshot, as are the rows.
public struct ResultLabels: Sendable, Equatable {
  /// The start of the range that was counted, widened to whole windows (hours or days, where no
  /// minutes are kept any more); nil where nothing is counted yet and the
  /// query left that end open.
  public var from: Timestamp?
  /// The end, outside the range; see `from`.
  public var to: Timestamp?
  /// Grows with every committed batch.
  public var revision: Int64
  /// The event time up to which counts are complete; nil before the first event.
  public var watermark: Timestamp?
  /// Whether the counts may still grow.
  public var state: Finality
  /// How many messages were waiting when batches were committed last; nil where a partition's is not known.
  public var lag: Int64?

  /// Takes each property.
  public init(
    from: Timestamp?,
    to: Timestamp?,
    revision: Int64,
    watermark: Timestamp?,
    state: Finality,
    lag: Int64? = nil
  ) {
    self.from = from
    self.to = to
    self.revision = revision
    self.watermark = watermark
    self.state = state
    self.lag = lag
  }
}

/// One top list, complete and exact as of one revision.
@dynamicMemberLookup
public struct TopItems: Sendable, Equatable {
  /// One ranked item; or one that dropped out (without a rank); or the rest of a ranking (without a name either). Rows
  /// are ordered by location, and then as named.
  public struct Row: Sendable, Equatable {
    /// `geographical_location_oid`; nil when all locations are ranked together.
    public var locationOid: Int64?
    /// `geographical_location`; nil also for a location that counts without a name as yet.
    public var locationName: String?
    /// 1, 2, 3… by count descending, then name in byte order. Nil for an item that dropped out and for the rest.
    public var rank: Int?
    /// 1 to 5,000 Unicode scalars of whatever the cameras sent: never trust it in a page or a command. Nil for the
    /// rest.
    public var itemName: String?
    /// Distinct detections.
    public var count: Int64
    /// Distinct detections of all items of the ranking, if the query wants shares.
    public var total: Int64?
    /// The rank in the previous range; nil where it was not counted then, or nothing is compared.
    public var previousRank: Int?
    /// The count in the previous range; nil for the rest, or where nothing is compared.
    public var previousCount: Int64?

    /// Takes each property.
    public init(
      locationOid: Int64?,
      locationName: String?,
      rank: Int?,
      itemName: String?,
      count: Int64,
      total: Int64? = nil,
      previousRank: Int? = nil,
      previousCount: Int64? = nil
    ) {
      self.locationOid = locationOid
      self.locationName = locationName
      self.rank = rank
      self.itemName = itemName
      self.count = count
      self.total = total
      self.previousRank = previousRank
      self.previousCount = previousCount
    }
  }

  /// What the response says of itself, each also as a property of this list.
  public var labels: ResultLabels
  /// Whether in some ranking an item has as many detections as the `n`-th and comes behind it by its name alone.
  public var isTiedAtCutoff: Bool
  /// The span that it is compared with.
  public var previous: Range<Timestamp>?
  /// All of them, ordered by location, then rank.
  public var rows: [Row]

  /// Takes each property.
  public init(
    from: Timestamp?,
    to: Timestamp?,
    revision: Int64,
    watermark: Timestamp?,
    state: Finality,
    lag: Int64? = nil,
    isTiedAtCutoff: Bool = false,
    previous: Range<Timestamp>? = nil,
    rows: [Row]
  ) {
    labels = ResultLabels(
      from: from,
      to: to,
      revision: revision,
      watermark: watermark,
      state: state,
      lag: lag
    )
    self.isTiedAtCutoff = isTiedAtCutoff
    self.previous = previous
    self.rows = rows
  }

  /// A property of the labels.
  public subscript<Value>(dynamicMember path: WritableKeyPath<ResultLabels, Value>) -> Value {
    get { labels[keyPath: path] }
    set { labels[keyPath: path] = newValue }
  }
}
