public import Counting

/// Whether the counts keep up with the cameras: the state in `meta`, `/v1/status` and the metrics.
public enum Freshness: Sendable, Equatable {
  /// Workers run and count what arrives.
  case live
  /// Workers run and have counted everything, and nothing has arrived since this time.
  case quiet(since: Timestamp)
  /// Messages that arrived from this time on may not be counted yet; `behind` is how many, nil where it is not known.
  case delayed(since: Timestamp, behind: Int64?)
  /// No worker runs since this time; nil when none ever has.
  case stopped(since: Timestamp?)

  /// How long a worker may be silent before it counts as gone: three of its heartbeats, in microseconds.
  public static let silence: Int64 = 15_000_000
  /// How long a message may wait before the counts are delayed, in microseconds.
  public static let delayThreshold: Int64 = 10_000_000
  /// After how long without a message it is quiet, in microseconds.
  public static let calm: Int64 = 60_000_000
  /// How long partitions of a worker that ended without a word may be without a reader before they are taken for
  /// retired partitions, which need no reader, in microseconds.
  public static let orphaned: Int64 = 300_000_000

  /// The state's name in the API and in metrics.
  public var name: String {
    switch self {
    case .live: "live"
    case .quiet: "quiet"
    case .delayed: "delayed"
    case .stopped: "stopped"
    }
  }

  /// Every name.
  public static let names = ["live", "quiet", "delayed", "stopped"]

  /// Since when; nil for `live`, and where it is not known.
  public var since: Timestamp? {
    switch self {
    case .live: nil
    case .quiet(let since), .delayed(let since, _): since
    case .stopped(let since): since
    }
  }

  /// The state without what changes continuously: the same on every server, and until the state changes. What is kept
  /// in memory depends on it. While a backlog is read, the time from which messages wait moves on; it is rounded down
  /// to the minute.
  public var label: FreshnessLabel {
    guard case .delayed(let since, _) = self else { return FreshnessLabel(name: name, since: since) }
    let minute: Int64 = 60_000_000
    let (quotient, remainder) = since.microseconds.quotientAndRemainder(dividingBy: minute)
    let floor = (quotient - (remainder < 0 ? 1 : 0)) * minute
    return FreshnessLabel(name: name, since: Timestamp(microseconds: floor))
  }
}

/// What a response says of `Freshness`.
public struct FreshnessLabel: Sendable, Hashable {
  /// `Freshness.name`.
  public var name: String
  /// As `Freshness.since`; of a delay, the beginning of its minute.
  public var since: Timestamp?

  /// Takes each property.
  public init(name: String, since: Timestamp?) {
    self.name = name
    self.since = since
  }
}

/// What the store knows of its workers at one moment, by the database's clock.
public struct WorkerReading: Sendable, Equatable {
  /// The database's clock.
  public var now: Timestamp
  /// When a batch was committed last, of whatever messages; nil before the first one.
  public var lastMessageAt: Timestamp?
  /// Those that were seen within `Freshness.orphaned`, and the one that was seen last.
  public var workers: [WorkerRecord]

  /// Takes each property.
  public init(now: Timestamp, lastMessageAt: Timestamp?, workers: [WorkerRecord]) {
    self.now = now
    self.lastMessageAt = lastMessageAt
    self.workers = workers
  }

  /// Those that run.
  ///
  /// - Parameter time: the database's clock, `now` or a little later.
  public func living(at time: Timestamp) -> [WorkerRecord] {
    // A heartbeat far ahead was stored while the database's clock was wrong, by a worker that may be gone.
    workers.filter { worker in
      let (distance, overflow) = time.microseconds.subtractingReportingOverflow(worker.seenAt.microseconds)
      return worker.stoppedAt == nil && !overflow && distance.magnitude <= Freshness.silence.magnitude
    }
  }

  /// The state. A worker's lag is judged as of its heartbeat.
  ///
  /// - Parameter time: as for `living`.
  public func freshness(at time: Timestamp) -> Freshness {
    let living = living(at: time)
    guard let firstStart = living.map(\.startedAt).min() else {
      return .stopped(since: workers.map { $0.stoppedAt ?? $0.seenAt }.filter { $0 <= time }.max())
    }
    let reading = living.filter { !$0.partitions.isEmpty }
    // A worker without partitions is a spare one, as long as another has some.
    let waits = (reading.isEmpty ? living : reading).compactMap { worker -> Timestamp? in
      worker.behindSince.flatMap { since in
        worker.seenAt.microseconds &- since.microseconds > Freshness.delayThreshold ? since : nil
      }
    }
    if let since = (waits + orphans(living, at: time)).min() {
      return .delayed(since: since, behind: behind(reading, at: time))
    }
    let last = lastMessageAt ?? firstStart
    return time.microseconds &- last.microseconds > Freshness.calm ? .quiet(since: last) : .live
  }

  /// How many messages wait; nil where one that runs does not know it, or a partition has no reader.
  public func behind(at time: Timestamp) -> Int64? {
    behind(living(at: time).filter { !$0.partitions.isEmpty }, at: time)
  }

  /// Messages that are not committed of each partition that a running worker knows them of.
  public func lags(at time: Timestamp) -> [PartitionKey: Int64] {
    var lags: [PartitionKey: Int64] = [:]
    for worker in living(at: time) {
      for (key, lag) in zip(worker.partitions, worker.lags) { lags[key] = lag ?? lags[key] }
    }
    return lags
  }

  private func behind(_ reading: [WorkerRecord], at time: Timestamp) -> Int64? {
    guard !reading.isEmpty, orphans(living(at: time), at: time).isEmpty else { return nil }
    var sum: Int64 = 0
    for worker in reading {
      guard let lag = worker.lag else { return nil }
      sum = sum.addingReportingOverflow(lag).partialValue
    }
    return sum
  }

  /// Since when partitions have no reader, as their worker ended without a word and no other has them yet.
  private func orphans(_ living: [WorkerRecord], at time: Timestamp) -> [Timestamp] {
    let held = Set(living.flatMap(\.partitions))
    return workers.compactMap { worker in
      let silent = time.microseconds &- worker.seenAt.microseconds
      guard worker.stoppedAt == nil, silent > Freshness.silence, silent <= Freshness.orphaned,
        !held.isSuperset(of: worker.partitions)
      else { return nil }
      return worker.seenAt
    }
  }
}
