import CountStore
import Counting
import Kafka
import Postgres

/// What a worker has to tell. Logs and metrics subscribe to it; call sites format nothing.
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
  /// A batch or a claim did not get through; the worker starts over from what is stored.
  case retrying(PostgresError, afterMilliseconds: Int64)
  /// A message that the database refuses, now a dead letter.
  case rejected(PartitionKey, offset: Int64, PostgresError)
  /// One partition is stopped until somebody looks at it; the others go on.
  case halted(PartitionKey, reason: String)
  case kafka(KafkaObservation)
  case brokerError(KafkaError)
  case stopped(FateCounts)
}

/// One committed batch.
public struct BatchReport: Sendable {
  public var revision: Int64
  public var parts: [Batch.Part]
  public var bounds: EventTimeBounds
  /// From BEGIN to COMMIT.
  public var microseconds: Int64
  /// Whether detections were inserted one by one because some were stored already.
  public var usedCarefulPath: Bool

  /// The fates of the batch's messages.
  public var fates: FateCounts {
    var sum = FateCounts()
    for part in parts { sum += part.fates }
    return sum
  }
}
