import CountStore
import Counting

/// Messages that the database refuses although they were validated.
///
/// One that was refused while it was alone in a batch becomes a dead letter when it is read again, together with one
/// that is taken. Many are no bad luck but a fault of the database, which must not make dead letters of good messages.
struct Rejections {
  /// How many messages of one refused batch may become dead letters.
  static let limit = 10

  private var reasons: [PartitionKey: [Int64: String]] = [:]
  /// How far the refused batches reached; until all of it is committed, their rejections are counted together.
  private var suspects: [PartitionKey: Int64] = [:]
  private var count = 0

  var isEmpty: Bool { reasons.isEmpty }
  var areTooMany: Bool { count > Self.limit }

  func reason(_ key: PartitionKey, offset: Int64) -> String? { reasons[key]?[offset] }

  /// The database has refused a batch that ends at these offsets.
  mutating func suspect(_ ends: [PartitionKey: Int64]) {
    suspects.merge(ends) { max($0, $1) }
  }

  mutating func add(_ key: PartitionKey, offset: Int64, reason: String) {
    reasons[key, default: [:]][offset] = reason
    count += 1
  }

  mutating func recordCommit(_ report: BatchReport) {
    guard count > 0 || !suspects.isEmpty else { return }
    for part in report.parts {
      if let end = suspects[part.key], part.next >= end { suspects[part.key] = nil }
      guard let left = reasons[part.key]?.filter({ $0.key >= part.next }) else { continue }
      reasons[part.key] = left.isEmpty ? nil : left
    }
    // While nothing but dead letters gets through, one message at a time, it is not over.
    if suspects.isEmpty, report.fates.counted + report.fates.duplicate > 0 { count = 0 }
  }

  /// The partition is another worker's now.
  mutating func forget(_ key: PartitionKey) {
    reasons[key] = nil
    suspects[key] = nil
  }
}
