import Counting

/// One partition of one topic.
public struct PartitionKey: Hashable, Comparable, Sendable {
  /// The topic's name.
  public var topic: String
  /// Its number, from 0.
  public var partition: Int32

  /// Names a partition.
  public init(topic: String, partition: Int32) {
    self.topic = topic
    self.partition = partition
  }

  /// By topic in Unicode order, then by number: the order in which locks are taken.
  public static func < (a: PartitionKey, b: PartitionKey) -> Bool {
    a.topic == b.topic ? a.partition < b.partition : a.topic < b.topic
  }
}

/// What a worker asks for when it is given a partition, or when something went wrong and it wants to know where
/// it stands.
public struct ClaimRequest: Sendable {
  /// The partition.
  public var key: PartitionKey
  /// The epoch of the claim that the worker believes it holds, if any.
  public var heldEpoch: Int64?
  /// Whether the worker may take the partition from another holder: once for each time that Kafka assigns it.
  public var mayTake: Bool
  /// The oldest offset that Kafka still has.
  public var lowWatermark: Int64
  /// Whether Kafka has refused to read at the stored offset. Only then is a low watermark above it believed: while
  /// leaders move, librdkafka may take the log's end for its beginning, and what lies between would be lost.
  public var gapIsCertain: Bool
  /// Whether to go on behind messages that Kafka has deleted; otherwise the offset stays where it is.
  public var passesGap: Bool

  /// A request for one partition.
  public init(
    key: PartitionKey,
    heldEpoch: Int64?,
    mayTake: Bool,
    lowWatermark: Int64,
    gapIsCertain: Bool = true,
    passesGap: Bool = true
  ) {
    self.key = key
    self.heldEpoch = heldEpoch
    self.mayTake = mayTake
    self.lowWatermark = lowWatermark
    self.gapIsCertain = gapIsCertain
    self.passesGap = passesGap
  }
}

/// A worker's right to advance a partition.
public struct PartitionClaim: Sendable, Equatable {
  /// The partition.
  public var key: PartitionKey
  /// Raised by every taking; what an earlier holder still has in hand is void.
  public var epoch: Int64
  /// Where to read on.
  public var nextOffset: Int64
  /// Offsets that Kafka had deleted before they were counted: recorded in `offset_gap` and passed over, or, where the
  /// request forbids that, still ahead.
  public var gap: Range<Int64>?

  /// A claim as it is stored.
  public init(key: PartitionKey, epoch: Int64, nextOffset: Int64, gap: Range<Int64>? = nil) {
    self.key = key
    self.epoch = epoch
    self.nextOffset = nextOffset
    self.gap = gap
  }
}

/// What a worker needs to judge an event's time. All clocks are the database's.
public struct EventTimeBounds: Sendable, Equatable {
  /// An event below it may be a duplicate whose key is gone: it is late.
  public var floor: Timestamp
  /// The database's clock when this was read.
  public var now: Timestamp

  /// The newest event time among the keys that were ever purged; nil where none was.
  public var purgedUntil: Timestamp?

  /// A reading of them.
  public init(floor: Timestamp, now: Timestamp, purgedUntil: Timestamp? = nil) {
    self.floor = floor
    self.now = now
    self.purgedUntil = purgedUntil
  }

  /// Whether an event of that time can be counted without being counted twice: if it was counted before, its key is
  /// still there.
  func isCertain(_ time: Timestamp) -> Bool { purgedUntil.map { time > $0 } ?? true }
}
