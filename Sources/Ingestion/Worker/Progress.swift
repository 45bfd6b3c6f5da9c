import CountStore
import Counting

/// How far the worker has come, by what is committed.
struct Progress {
  /// What became of the messages that this worker committed.
  private(set) var fates = FateCounts()
  /// Where each partition's counts end.
  private var committed: [PartitionKey: Int64] = [:]
  /// The positions that are not committed to Kafka's group yet.
  private var unreported: [PartitionKey: Int64] = [:]

  /// A batch is committed.
  mutating func record(_ report: BatchReport) {
    fates += report.fates
    for part in report.parts {
      unreported[part.key] = part.next
      committed[part.key] = part.next
    }
  }

  /// A partition is read from here on.
  mutating func begin(_ claim: PartitionClaim) { committed[claim.key] = claim.nextOffset }

  /// Another worker has the partition now.
  mutating func forget(_ key: PartitionKey) { committed[key] = nil }

  /// The positions to commit to Kafka's group, once.
  mutating func takeUnreported() -> [PartitionKey: Int64] {
    defer { unreported.removeAll() }
    return unreported
  }

  /// Everything below it is accounted for; nil until the partition has been claimed. What lies between the last message
  /// and the end of the log that was read (markers of transactions) needs no accounting.
  func position(of entry: Assignment.Entry) -> Int64? {
    guard let next = committed[entry.key] else { return nil }
    return entry.standing == .reading && entry.reachedEnd && entry.next == next
      ? max(next, entry.readEnd) : next
  }
}
