public import Counting

/// What was counted of a topic whose offsets are forgotten. It goes on being part of every total.
public struct ForgottenTopic: Sendable, Equatable {
  /// The topic's name.
  public var topic: String
  /// What became of its messages.
  public var fates: FateCounts
  /// How often a partition of it was forgotten.
  public var partitions: Int64
  /// Messages that Kafka had deleted before they were read.
  public var lost: Int64
  /// When it was forgotten last.
  public var forgottenAt: Timestamp

  /// Takes each property.
  public init(topic: String, fates: FateCounts, partitions: Int64, lost: Int64, forgottenAt: Timestamp) {
    self.topic = topic
    self.fates = fates
    self.partitions = partitions
    self.lost = lost
    self.forgottenAt = forgottenAt
  }
}

/// One partition as `topitems topics list` shows it.
public struct StoredPartition: Sendable, Equatable {
  /// Its offsets, times and fates.
  public var standing: SystemStatus.Partition
  /// Dead letters that are kept.
  public var deadLettersKept: Int64
  /// Events that are in the quarantine.
  public var quarantined: Int64
  /// Whether a live worker has it.
  public var isHeld: Bool
  /// Messages that are not counted: from a live worker's heartbeat, or else as of the last batch; nil where neither
  /// is known.
  public var lag: Int64?
}

/// What `topitems topics forget` deletes, or would delete.
public struct ForgetReport: Sendable, Equatable {
  /// Those that have a stored offset.
  public var partitions: [PartitionKey] = []
  /// Those of them that a live worker has; then nothing is deleted.
  public var held: [PartitionKey] = []
  /// The fates that are kept as a sum.
  public var fates = FateCounts()
  /// Dead letters, deleted for good.
  public var deadLetters: Int64 = 0
  /// Late and future events, deleted for good and never counted.
  public var quarantined: Int64 = 0
  /// Messages of the recorded gaps, kept as a sum.
  public var lost: Int64 = 0
  /// Whether it is done.
  public var isDone = false

  /// Whether nothing is known of the topic or partition.
  public var isEmpty: Bool { partitions.isEmpty && deadLetters == 0 && quarantined == 0 && lost == 0 }
}
