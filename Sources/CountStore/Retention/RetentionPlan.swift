public import Counting

/// What a run of retention would do, as of one snapshot. Rows are counted, and the sizes of partitions measured; what
/// says so is estimated.
public struct RetentionPlan: Sendable, Equatable {
  /// A level that would be folded.
  public struct Fold: Sendable, Equatable {
    /// The level.
    public var level: RollupLevel
    /// Its mark afterwards.
    public var until: Timestamp
    /// The rows that would be written.
    public var rows: Int64
  }

  /// A partition that would be dropped.
  public struct Partition: Sendable, Equatable {
    /// The table's name.
    public var name: String
    /// What it would hold by then, the rows of the plan's own folds among it.
    public var rows: Int64
    /// Its size now, with its index.
    public var bytes: Int64
  }

  /// Rows that would be deleted from a table that stays.
  public struct Deletion: Sendable, Equatable {
    /// How many.
    public var rows: Int64 = 0
    /// Their share of the table's size, indexes included; an estimate. It is used again, and not given back to the
    /// disk.
    public var bytes: Int64 = 0
  }

  /// The time that it was planned with.
  public var now: Timestamp
  /// Partitions that would be made.
  public var made: [String] = []
  /// Levels, the finest first.
  public var folds: [Fold] = []
  /// Where the deduplication floor would be; nil when it stays.
  public var floor: Timestamp?
  /// Partitions that would be dropped.
  public var dropped: [Partition] = []
  /// Keys of detections.
  public var keys = Deletion()
  /// Dead letters.
  public var deadLetters = Deletion()
  /// Quarantined events.
  public var quarantine = Deletion()

  /// Whether it would do nothing.
  public var isEmpty: Bool { self == RetentionPlan(now: now) }

  /// Whether it would destroy something that the other would not.
  public func destroysMore(than other: RetentionPlan) -> Bool {
    keys.rows > other.keys.rows || deadLetters.rows > other.deadLetters.rows
      || quarantine.rows > other.quarantine.rows
      || !Set(dropped.map(\.name)).isSubset(of: other.dropped.map(\.name))
  }
}
