import Threading

/// A phase of writing a batch, for measurements of where its time goes.
public enum BatchPhase: String, Sendable, CaseIterable {
  /// Reading and judging its messages, while an earlier batch is written.
  case decode
  /// Sorting it, likewise.
  case sort
  /// Finding the ids of new item names and rows for new cameras, in commits of their own.
  case items
  /// From BEGIN to holding the partitions' rows and knowing the floor.
  case lock
  /// Storing the detections, where they are many; meanwhile they are summed up.
  case copy
  /// All that follows, in one round trip: few detections, the counts of windows and cameras, quarantined events, dead
  /// letters, offsets, the revision and COMMIT.
  case commit
}

/// How long the phases of a batch took.
public struct PhaseTimes: Sendable, Equatable {
  /// By phase; those that never ended have none.
  public private(set) var microseconds: [BatchPhase: Int64] = [:]
  private var mark = MonotonicInstant.now()

  /// The first phase begins now.
  public init() {}

  /// Ends a phase that began with the end of the one before.
  public mutating func end(_ phase: BatchPhase) {
    let now = MonotonicInstant.now()
    microseconds[phase, default: 0] += now.elapsed(since: mark).microseconds
    mark = now
  }

  /// Notes a phase that was measured elsewhere.
  public mutating func add(_ phase: BatchPhase, microseconds: Int64) {
    self.microseconds[phase, default: 0] += microseconds
  }

  /// Takes over what others have measured.
  public mutating func merge(_ other: PhaseTimes) {
    microseconds.merge(other.microseconds, uniquingKeysWith: +)
  }
}
