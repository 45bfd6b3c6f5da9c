import CountStore
import Counting
import Kafka
import Postgres

/// What happens in a worker. Logs and metrics subscribe to it; call sites format nothing.
public enum IngestionObservation: Sendable {
  case assigned([PartitionKey])
  case revoked([PartitionKey], lost: Bool)
  /// The worker's right to these partitions is stored; reading begins.
  case claimed([PartitionClaim])
  /// Offsets that Kafka had deleted before they were counted.
  case gap(PartitionKey, Range<Int64>)
  /// Another worker holds these partitions; nothing of them is written any more.
  case fenced([PartitionKey])
  case committed(BatchReport)
  /// The polling loop has turned, and where the worker stands; about once a second.
  case turned(WorkerTurn)
  /// A batch or a claim did not get through; the worker starts over from what is stored.
  case retrying(PostgresError, afterMilliseconds: Int64)
  /// Sessions of workers that do not go on, ended because they held the locks of a claim (their process ids in
  /// PostgreSQL).
  case endedBlockers([Int32])
  /// A message that the database refuses, now a dead letter.
  case rejected(PartitionKey, offset: Int64, PostgresError)
  /// One partition is stopped until an operator acts; the others go on.
  case halted(PartitionKey, reason: String)
  /// The stored settings of retention, when they are first read and whenever they have changed; and which of the
  /// worker's own options say otherwise, without effect.
  case retention(RetentionPolicy, given: RetentionChange)
  /// The background work has compared the clocks: once a minute, and when an agreement ends or begins.
  case clock(ClockCheck)
  /// The background work had something to do.
  case maintained(RetentionReport)
  /// Future events whose time has come were taken out of the quarantine.
  case released(ReadmissionReport)
  /// The background work did not come to its end; it is tried again in a minute.
  case maintenanceFailed(PostgresError)
  /// The background work has ended well, whether or not there was something to do.
  case backgroundSucceeded(BackgroundTask)
  /// The worker's row is written; the database's clock and floor then.
  case heartbeat(now: Timestamp, floor: Timestamp?)
  /// The worker's row could not be written; it is tried again in a second.
  case heartbeatFailed(PostgresError)
  case kafka(KafkaObservation)
  case brokerError(KafkaError)
  case stopped(FateCounts)
}

/// One committed batch.
public struct BatchReport: Sendable {
  /// What the batch is known by.
  public var revision: Int64
  /// With the fates that the database decided.
  public var parts: [Batch.Part]
  /// The floor and the database's clock during the batch.
  public var bounds: EventTimeBounds
  /// From the first statement to the end of COMMIT.
  public var microseconds: Int64
  /// How long each phase of it took.
  public var times: PhaseTimes
  /// Whether detections were inserted one by one because some were stored already.
  public var usedCarefulPath: Bool

  /// The fates of the batch's messages.
  public var fates: FateCounts {
    var sum = FateCounts()
    for part in parts { sum += part.fates }
    return sum
  }
}
