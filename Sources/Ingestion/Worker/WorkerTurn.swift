public import CountStore
public import Kafka

/// A worker's state, about once a second: a sign of life of the polling loop, for probes, metrics and the heartbeat.
public struct WorkerTurn: Sendable {
  /// One assigned partition.
  public struct Partition: Sendable {
    /// Where it stands with this worker.
    public enum ClaimState: Sendable, Equatable {
      /// Its claim is not stored yet.
      case unclaimed
      case reading
      /// Another worker holds it.
      case fenced
      /// It is stopped until an operator acts.
      case halted(String)
    }

    /// Which.
    public var key: PartitionKey
    /// Whether it is read.
    public var standing: ClaimState
    /// How far its counts are behind.
    public var lag: PartitionLag?

    /// Takes each property.
    public init(key: PartitionKey, standing: ClaimState, lag: PartitionLag? = nil) {
      self.key = key
      self.standing = standing
      self.lag = lag
    }
  }

  /// Whether the group has assigned anything yet, be it nothing.
  public var isAssigned = false
  /// All that are assigned, in order.
  public var partitions: [Partition] = []
  /// When a broker answered last; nil before the first time.
  public var brokerAnsweredAt: ContinuousClock.Instant?
  /// Why none did, at the last attempt.
  public var brokerError: KafkaError?
  /// The oids remembered to drop near duplicates.
  public var remembered = 0
  /// Since when the committer has had its job; nil when it has none.
  public var jobSince: ContinuousClock.Instant?
  /// Whether the committer waits for PostgreSQL, or may do so at any moment.
  public var isAtDatabase = false
  /// When PostgreSQL did last what the committer asked of it; nil before the first time.
  public var databaseAnsweredAt: ContinuousClock.Instant?

  /// Of a worker that has just started.
  public init() {}
}
