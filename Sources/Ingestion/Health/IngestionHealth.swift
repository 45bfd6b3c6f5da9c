public import CountStore
import Counting
import Kafka
import Postgres

/// A worker's health, from its observations: the one source of its probes, of its health metrics and of its heartbeat.
///
/// No value stays because nothing new arrives: each is judged by its age when it is read.
public struct IngestionHealth: Sendable {
  /// How long the polling loop or the committer may stand still, and messages may wait without any being committed.
  public static let stallLimit = Duration.seconds(60)
  /// How long PostgreSQL or Kafka may fail before the worker is not ready.
  public static let tolerance = Duration.seconds(10)
  /// How long one batch may be PostgreSQL's: each of its statements ends within `statement_timeout`.
  public static let longestBatch = Duration.seconds(600)

  typealias Failure = (since: ContinuousClock.Instant, error: PostgresError)

  let startedAt: ContinuousClock.Instant
  /// The newest turn, and when it was.
  private(set) var turn = WorkerTurn()
  private(set) var turnedAt: ContinuousClock.Instant
  private(set) var lastCommitAt: ContinuousClock.Instant?
  /// Since when no partition that is assigned could be claimed.
  private(set) var claimlessSince: ContinuousClock.Instant?
  /// Since when no partition is assigned; nil while one is.
  private(set) var unassignedSince: ContinuousClock.Instant?
  /// That what the committer asks of PostgreSQL fails.
  private(set) var failure: Failure?
  /// When that was last.
  private(set) var failedAt: ContinuousClock.Instant?
  /// That PostgreSQL does not answer the heartbeat.
  private(set) var silence: Failure?
  /// Whether PostgreSQL answered the heartbeat, whatever it said; nil before the first one.
  private(set) var isDatabaseUp: Bool?
  /// When each background task ended well last.
  private(set) var backgroundSuccess: [BackgroundTask: ContinuousClock.Instant] = [:]
  private(set) var floor: Timestamp?
  /// When the floor was last read.
  private(set) var floorAt: ContinuousClock.Instant?
  private(set) var lastError: (text: String, at: ContinuousClock.Instant)?
  /// That a broker does not know a topic, in its words, while no partition is assigned.
  private(set) var missingTopic: String?
  private var isStopped = false
  /// What keeps retention from the database's clock, as the maintenance task found it last.
  private var clockComplaint: String?

  /// - Parameter now: when the worker starts.
  public init(now: ContinuousClock.Instant = .now) {
    startedAt = now
    turnedAt = now
    unassignedSince = now
  }

  /// Takes note of what happened at `now`.
  public mutating func record(_ observation: IngestionObservation, now: ContinuousClock.Instant = .now) {
    switch observation {
    case .turned(let turn): record(turn, now)
    case .committed(let report):
      lastCommitAt = now
      floor = report.bounds.floor
      floorAt = now
      failure = nil
    case .claimed: failure = nil
    case .retrying(let error, _):
      failure = (failure?.since ?? now, error)
      failedAt = now
      lastError = ("\(error)", now)
    case .heartbeat(_, let floor):
      isDatabaseUp = true
      silence = nil
      if let floor { self.floor = floor }
      floorAt = now
    case .heartbeatFailed(let error):
      // Refused, as before its table is made: PostgreSQL has answered.
      isDatabaseUp = error.class == "42"
      silence = isDatabaseUp == true ? nil : (silence?.since ?? now, error)
      lastError = ("\(error)", now)
    case .backgroundSucceeded(let task): backgroundSuccess[task] = now
    case .maintenanceFailed(let error): lastError = ("\(error)", now)
    case .brokerError(let error):
      lastError = ("\(error)", now)
      if error.isUnknownTopicOrPartition { missingTopic = error.message }
    case .kafka(.error(let error)): lastError = ("\(error)", now)
    // Also of nothing: others have what there is.
    case .assigned: missingTopic = nil
    case .halted(let key, let reason):
      // Before the next turn reports it.
      let halted = WorkerTurn.Partition(key: key, standing: .halted(reason))
      if let index = turn.partitions.firstIndex(where: { $0.key == key }) {
        turn.partitions[index].standing = halted.standing
      } else {
        turn.partitions.append(halted)
      }
    case .stopped: isStopped = true
    case .clock(let check): clockComplaint = check.complaint
    default: break
    }
  }

  private mutating func record(_ turn: WorkerTurn, _ now: ContinuousClock.Instant) {
    self.turn = turn
    turnedAt = now
    let isClaimless =
      !turn.partitions.isEmpty
      && turn.partitions.allSatisfy { $0.standing == .unclaimed || $0.standing == .fenced }
    claimlessSince = isClaimless ? claimlessSince ?? now : nil
    unassignedSince = turn.partitions.isEmpty ? unassignedSince ?? now : nil
    if !turn.partitions.isEmpty { missingTopic = nil }
    if let answered = turn.databaseAnsweredAt, let failedAt, answered >= failedAt { failure = nil }
  }

  // MARK: Liveness

  /// Why the process should be started again; nil when that would not help. Never because of Kafka, PostgreSQL, a
  /// stopped partition or a clock.
  public func stall(at now: ContinuousClock.Instant) -> String? {
    if isStopped { return nil }
    let stood = now - turnedAt
    if stood > Self.stallLimit { return "the polling loop has not turned for \(stood.components.seconds) s" }
    guard let since = turn.jobSince else { return nil }
    // A claim is tried again and again; each attempt is a turn.
    let worked = now - max(since, failedAt ?? since)
    // A job that PostgreSQL has in hand is its, as long as its own time limits can explain that.
    let limit = turn.isAtDatabase ? Self.longestBatch : Self.stallLimit
    guard worked > limit, !(turn.isAtDatabase && isDatabaseUp != true) else { return nil }
    return "the committer has not turned for \(worked.components.seconds) s"
  }

  // MARK: Readiness

  /// Why the worker does not do its work at this moment; empty when it does.
  public func unreadiness(at now: ContinuousClock.Instant) -> [Unreadiness] {
    if isStopped { return [.stopping] }
    var reasons: [Unreadiness] = []
    if let stall = stall(at: now) { reasons.append(.stalled(stall)) }
    for partition in turn.partitions {
      if case .halted(let reason) = partition.standing { reasons.append(.halted(partition.key, reason)) }
    }
    if let silent = brokerSilence(at: now) {
      reasons.append(.brokerAway(silent, "\(turn.brokerError?.message ?? "")"))
    }
    if let missingTopic { reasons.append(.topicMissing(missingTopic)) }
    if !turn.isAssigned { reasons.append(.unassigned) }
    if let failing = [failure, silence].compactMap(\.self).min(by: { $0.since < $1.since }),
      now - failing.since > Self.tolerance
    {
      reasons.append(.databaseFailing(now - failing.since, "\(failing.error)"))
    }
    if let claimlessSince, now - claimlessSince > Self.stallLimit {
      reasons.append(.claimless(now - claimlessSince))
    }
    if let waited = waited(at: now), waited > Self.stallLimit,
      lastCommitAt.map({ now - $0 > Self.stallLimit }) ?? true
    {
      reasons.append(.notCommitting(waited))
    }
    if let clockComplaint { reasons.append(.clock(clockComplaint)) }
    return reasons
  }

  /// For how long no broker has answered, if that is longer than may be.
  private func brokerSilence(at now: ContinuousClock.Instant) -> Duration? {
    let silent = now - (turn.brokerAnsweredAt ?? startedAt)
    return silent > Self.tolerance ? silent : nil
  }

  /// For how long the oldest message that is known not to be counted has waited, in the partitions that are not
  /// stopped.
  private func waited(at now: ContinuousClock.Instant) -> Duration? {
    turn.partitions.filter { if case .halted = $0.standing { false } else { true } }
      .compactMap { $0.lag?.unreadSince }.min().map { now - $0 }
  }

  // MARK: Figures

  /// Whether a broker has answered lately.
  func isBrokerUp(at now: ContinuousClock.Instant) -> Bool {
    turn.brokerAnsweredAt.map { now - $0 <= PartitionLag.trust } ?? false
  }

  /// Messages that arrived from then on may not be counted. A worker without partitions knows of none: whether they
  /// wait is for those to say that have partitions.
  func behindSince(at now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
    guard !turn.partitions.isEmpty else { return unassignedSince }
    return turn.partitions.compactMap { $0.lag.map { $0.behindSince(at: now) } ?? turnedAt }.min()
  }

  /// The worker's next heartbeat.
  public func heartbeat(at now: ContinuousClock.Instant) -> WorkerHeartbeat {
    var heartbeat = WorkerHeartbeat(age: (now - startedAt).microseconds)
    heartbeat.partitions = turn.partitions.map(\.key)
    heartbeat.lags = turn.partitions.map { $0.lag?.lag(at: now) }
    heartbeat.isBrokerReachable = isBrokerUp(at: now)
    heartbeat.behindFor = behindSince(at: now).map { (now - $0).microseconds }
    heartbeat.sinceCommit = lastCommitAt.map { (now - $0).microseconds }
    heartbeat.lastError = lastError.map { ($0.text, (now - $0.at).microseconds) }
    return heartbeat
  }
}

extension Duration {
  /// Whole microseconds, for what is sent to PostgreSQL; never negative.
  var microseconds: Int64 { max(0, Int64(clamping: Int128(attoseconds / 1_000_000_000_000))) }
}
