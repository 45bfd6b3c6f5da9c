import CountStore

/// How far a partition's counts are behind its log, by a broker's responses.
public struct PartitionLag: Sendable, Equatable {
  /// For how long a response of a broker counts: what is older is not known.
  public static let trust = Duration.seconds(15)

  /// Where the counts end; nil until the partition is claimed.
  public var next: Int64?
  /// The end of the log by the last response; nil before.
  public var end: Int64?
  /// When that was.
  public var toldAt: ContinuousClock.Instant?
  /// When Kafka assigned the partition.
  public var assignedAt: ContinuousClock.Instant
  /// Since when the oldest message that is not counted has been known to be there; nil when all are counted.
  public var unreadSince: ContinuousClock.Instant?

  /// Takes each property.
  public init(
    next: Int64?,
    end: Int64?,
    toldAt: ContinuousClock.Instant?,
    assignedAt: ContinuousClock.Instant,
    unreadSince: ContinuousClock.Instant?
  ) {
    self.next = next
    self.end = end
    self.toldAt = toldAt
    self.assignedAt = assignedAt
    self.unreadSince = unreadSince
  }

  /// How many messages are not counted; nil where that is not known.
  public func lag(at now: ContinuousClock.Instant) -> Int64? {
    guard let next, let end, isTold(at: now) else { return nil }
    return max(0, end.subtractingReportingOverflow(next).partialValue)
  }

  /// Messages that arrived from then on may not be counted; nil when all are.
  public func behindSince(at now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
    guard next != nil else { return assignedAt }
    guard isTold(at: now) else { return min(unreadSince ?? now, toldAt ?? assignedAt) }
    return unreadSince
  }

  private func isTold(at now: ContinuousClock.Instant) -> Bool {
    toldAt.map { now - $0 <= Self.trust } ?? false
  }
}

/// Follows the ends of the assigned partitions' logs, so that it is known since when messages wait: whatever the
/// producers' and brokers' clocks show.
///
/// A message is known to be there since the first look that found the log's end behind it, which is up to a second
/// after it came.
struct LagTracker {
  /// How many looks are remembered for each partition. Beyond that, every second one is forgotten: what came between
  /// two looks is then dated by the later one.
  static let memory = 64

  fileprivate struct Log {
    var lag: PartitionLag
    /// Growing ends of the log behind `next`, and when they were first known.
    var looks: [(end: Int64, at: ContinuousClock.Instant)] = []
    /// The end of the log by the last fetch.
    var fetchedEnd: Int64?
  }

  private var logs: [PartitionKey: Log] = [:]

  subscript(key: PartitionKey) -> PartitionLag? { logs[key]?.lag }

  /// These partitions, and no others, are assigned.
  mutating func assign(_ keys: [PartitionKey], at now: ContinuousClock.Instant) {
    let old = logs
    logs = [:]
    for key in keys {
      let lag = PartitionLag(next: nil, end: nil, toldAt: nil, assignedAt: now, unreadSince: nil)
      logs[key] = old[key] ?? Log(lag: lag)
    }
  }

  /// Records a broker's response. It may be less than a fetch has found before (Tansu returns where the last batch
  /// begins): then it is ignored.
  mutating func record(end: Int64, of key: PartitionKey, at time: ContinuousClock.Instant) {
    guard var log = logs[key] else { return }
    log.lag.toldAt = max(log.lag.toldAt ?? time, time)
    log.lag.end = max(log.lag.end ?? end, end)
    log.look(at: time)
    logs[key] = log
  }

  /// The end as of the last fetch, whenever that was: only a change counts.
  mutating func record(fetchedEnd end: Int64, of key: PartitionKey, at time: ContinuousClock.Instant) {
    guard var log = logs[key], log.fetchedEnd != end else { return }
    log.fetchedEnd = end
    logs[key] = log
    record(end: end, of: key, at: time)
  }

  /// The counts end here. It may be less than before, after a failover of PostgreSQL.
  mutating func record(next: Int64, of key: PartitionKey, at now: ContinuousClock.Instant) {
    guard var log = logs[key], log.lag.next != next else { return }
    if let before = log.lag.next, next < before { log.looks = [] }
    log.lag.next = next
    log.look(at: now)
    logs[key] = log
  }
}

extension LagTracker.Log {
  fileprivate mutating func look(at time: ContinuousClock.Instant) {
    guard let end = lag.end else { return }
    if end > looks.last?.end ?? .min { looks.append((end, time)) }
    let next = lag.next ?? .min
    looks.removeAll { $0.end <= next }
    if looks.count > LagTracker.memory {
      looks = looks.enumerated().filter { $0.offset % 2 == 0 || $0.offset == looks.count - 1 }.map(\.element)
    }
    lag.unreadSince = lag.next == nil ? nil : looks.first?.at
  }
}
