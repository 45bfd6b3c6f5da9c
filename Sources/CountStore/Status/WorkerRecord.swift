public import Counting

/// A worker's last heartbeat: a row of `worker`.
public struct WorkerRecord: Sendable, Equatable {
  /// A UUID that it chose when it started.
  public var id: String
  /// When it started.
  public var startedAt: Timestamp
  /// When it was stored.
  public var seenAt: Timestamp
  /// When it said that it stops.
  public var stoppedAt: Timestamp?
  /// The release that it runs.
  public var version: String
  /// What Kafka has assigned to it.
  public var partitions: [PartitionKey]
  /// Uncommitted messages of each partition; nil where the log's end is not known.
  public var lags: [Int64?]
  /// Whether a broker has answered it lately.
  public var isBrokerReachable: Bool
  /// The sum of `lags`; nil where one is not known.
  public var lag: Int64?
  /// Messages that arrived from then on may not be counted yet; nil when all are.
  public var behindSince: Timestamp?
  /// When it committed a batch last.
  public var lastCommitAt: Timestamp?

  /// Takes each property.
  public init(
    id: String,
    startedAt: Timestamp,
    seenAt: Timestamp,
    stoppedAt: Timestamp? = nil,
    version: String = "",
    partitions: [PartitionKey] = [],
    lags: [Int64?] = [],
    isBrokerReachable: Bool = true,
    lag: Int64? = 0,
    behindSince: Timestamp? = nil,
    lastCommitAt: Timestamp? = nil
  ) {
    self.id = id
    self.startedAt = startedAt
    self.seenAt = seenAt
    self.stoppedAt = stoppedAt
    self.version = version
    self.partitions = partitions
    self.lags = lags
    self.isBrokerReachable = isBrokerReachable
    self.lag = lag
    self.behindSince = behindSince
    self.lastCommitAt = lastCommitAt
  }
}

/// What a worker writes of itself. Times are ages in microseconds by the worker's monotonic clock, so that its wall
/// clock does not matter.
public struct WorkerHeartbeat: Sendable, Equatable {
  /// Which release runs where: what stays the same while a worker runs.
  public struct Identity: Sendable, Equatable {
    /// A UUID.
    public var id: String
    /// The release.
    public var version: String
    /// The machine's name.
    public var host: String
    /// The process.
    public var pid: Int32

    /// Takes each property.
    public init(id: String, version: String, host: String, pid: Int32) {
      self.id = id
      self.version = version
      self.host = host
      self.pid = pid
    }
  }

  /// Since it started.
  public var age: Int64
  /// What Kafka has assigned to it.
  public var partitions: [PartitionKey] = []
  /// Messages of each that are not committed; nil where it is not known.
  public var lags: [Int64?] = []
  /// Whether a broker has answered lately.
  public var isBrokerReachable = false
  /// For how long a message may have waited; nil when none waits.
  public var behindFor: Int64?
  /// Since the last commit; nil before the first one.
  public var sinceCommit: Int64?
  /// The last failure, without values of events or secrets, and since when.
  public var lastError: (text: String, age: Int64)?
  /// Whether this is the last one.
  public var isGoodbye = false

  /// Of a worker that has no partition yet.
  public init(age: Int64) { self.age = age }

  /// The sum of `lags`; nil where one is not known.
  public var lag: Int64? {
    var sum: Int64 = 0
    for lag in lags {
      guard let lag else { return nil }
      sum = sum.addingReportingOverflow(lag).partialValue
    }
    return sum
  }

  /// Compares each property.
  public static func == (a: WorkerHeartbeat, b: WorkerHeartbeat) -> Bool {
    a.age == b.age && a.partitions == b.partitions && a.lags == b.lags
      && a.isBrokerReachable == b.isBrokerReachable && a.behindFor == b.behindFor
      && a.sinceCommit == b.sinceCommit && a.lastError?.text == b.lastError?.text
      && a.lastError?.age == b.lastError?.age && a.isGoodbye == b.isGoodbye
  }
}
