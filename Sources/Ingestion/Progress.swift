import CountStore
import Counting

/// How far the worker has come, by what is committed.
struct Progress {
  /// What became of the messages that this worker committed.
  private(set) var fates = FateCounts()
  /// Where each partition's counts end.
  private var committed: [PartitionKey: Int64] = [:]
  /// The same for those that Kafka has not been told of yet.
  private var unreported: [PartitionKey: Int64] = [:]

  /// A batch is committed.
  mutating func note(_ report: BatchReport) {
    fates += report.fates
    for part in report.parts {
      unreported[part.key] = part.next
      committed[part.key] = part.next
    }
  }

  /// A partition is read from here on.
  mutating func begin(_ claim: PartitionClaim) { committed[claim.key] = claim.nextOffset }

  /// A partition is somebody else's now.
  mutating func forget(_ key: PartitionKey) { committed[key] = nil }

  /// What Kafka is to be told, once.
  mutating func takeUnreported() -> [PartitionKey: Int64] {
    defer { unreported.removeAll() }
    return unreported
  }

  /// How many messages are waiting in each partition, as far as its log's end is known.
  func lag(of partitions: [PartitionKey], logEnd: (PartitionKey) -> Int64?) -> [PartitionKey: Int64] {
    var lag: [PartitionKey: Int64] = [:]
    for key in partitions {
      if let next = committed[key], let end = logEnd(key) { lag[key] = max(0, end - next) }
    }
    return lag
  }
}
