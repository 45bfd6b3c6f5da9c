import CountStore
import Counting
import Ingestion
import Kafka
import Threading
import Logging
import Synchronization

/// Turns a worker's observations into log lines; batches are summed up into one line every ten seconds.
final class IngestionLog: Sendable {
  private struct Sums {
    var fates = FateCounts()
    var batches = 0
    var microseconds: Int64 = 0
    var since = ContinuousClock.now
  }

  private static let interval: Duration = .seconds(10)
  private let logger: Logger
  private let sums = Lock(Sums())
  /// Since the last heartbeat.
  private let hasFailedToBeat = Atomic(false)

  init(_ logger: Logger) { self.logger = logger }

  func observe(_ observation: IngestionObservation) {
    switch observation {
    case .committed(let report): add(report)
    case .assigned(let keys): logger.info("assigned \(names(keys))")
    case .revoked(let keys, let lost): logger.info("\(lost ? "lost" : "gave up") \(names(keys))")
    case .claimed(let claims):
      let positions = claims.map { "\(name($0.key)) at \($0.nextOffset)" }
      logger.info("reading \(positions.joined(separator: ", "))")
    case .gap(let key, let range):
      logger.error(
        "\(name(key)): \(range.count) messages were deleted by Kafka before they were counted",
        metadata: ["from": "\(range.lowerBound)", "to": "\(range.upperBound)", "see": "table offset_gap"]
      )
    case .fenced(let keys): logger.warning("another worker holds \(names(keys)); starting over")
    case .retrying(let error, let milliseconds): logger.warning("retrying in \(milliseconds) ms: \(error)")
    case .rejected(let key, let offset, let error):
      logger.error("\(name(key)) offset \(offset) is a dead letter, PostgreSQL refuses it: \(error)")
    case .endedBlockers(let pids):
      let names = pids.map(String.init).joined(separator: ", ")
      logger.error("ended PostgreSQL sessions of workers that held partitions without going on: \(names)")
    case .halted(let key, let reason): logger.critical("\(name(key)) is stopped: \(reason)")
    case .brokerError(let error): logger.warning("kafka: \(error)")
    case .kafka(let observation): report(observation)
    case .retention(let policy, let given): report(policy, given)
    case .clock(let check): if let complaint = check.complaint { logger.error("clock: \(complaint)") }
    case .maintained(let report):
      for line in RetentionText.lines(report) { logger.info("\(line)") }
    case .released(let report):
      logger.info(
        "released \(report.fates.total) quarantined events that are due",
        metadata: Self.metadata(report.fates)
      )
    case .maintenanceFailed(let error): logger.warning("background work, tried again soon: \(error)")
    case .heartbeat: hasFailedToBeat.store(false, ordering: .relaxed)
    case .heartbeatFailed(let error):
      // Every second would be too much.
      guard !hasFailedToBeat.exchange(true, ordering: .relaxed) else { return }
      logger.warning("the worker's row was not written; servers call it stopped after 15 s: \(error)")
    case .turned, .backgroundSucceeded: break
    case .stopped(let fates): logger.info("stopped", metadata: Self.metadata(fates))
    }
  }

  private func add(_ report: BatchReport) {
    let phases = BatchPhase.allCases.compactMap { phase in
      report.times.microseconds[phase].map { "\(phase.rawValue) \($0)" }
    }
    logger.debug(
      "committed revision \(report.revision) in \(report.microseconds) µs: \(phases.joined(separator: ", "))",
      metadata: Self.metadata(report.fates)
    )
    let due: Sums? = sums.withLock { sums in
      sums.fates += report.fates
      sums.batches += 1
      sums.microseconds += report.microseconds
      guard sums.since.duration(to: .now) >= Self.interval else { return nil }
      defer { sums = Sums() }
      return sums
    }
    guard let due else { return }
    let seconds = due.since.duration(to: .now) / .seconds(1)
    logger.info(
      "\(Int(Double(due.fates.total) / seconds)) messages/s in \(due.batches) batches of \(due.microseconds / Int64(due.batches)) µs on average",
      metadata: Self.metadata(due.fates)
    )
  }

  private func report(_ policy: RetentionPolicy, _ given: RetentionChange) {
    logger.info("retention as stored: \(RetentionText.lines(policy).joined(separator: ", "))")
    let given = (policy: given.applied(to: policy), differing: given.differing(from: policy))
    for setting in given.differing {
      let (own, stored) = (given.policy[setting], policy[setting])
      let name = setting.rawValue
      logger.warning(
        """
        --\(name) \(RetentionText.length(own)) has no effect, the database keeps \(RetentionText.length(stored)); \
        to change it: topitems retention set --\(name) \(RetentionText.length(own))
        """
      )
    }
  }

  private func report(_ observation: KafkaObservation) {
    switch observation {
    case .log(let level, let facility, let text):
      logger.log(level: level <= 3 ? .error : level == 4 ? .warning : .debug, "kafka \(facility): \(text)")
    case .error(let error): logger.log(level: error.isFatal ? .critical : .warning, "kafka: \(error)")
    case .commitFailed(let error): logger.debug("kafka did not take the group's offsets: \(error)")
    case .statistics: break
    }
  }

  private static func metadata(_ fates: FateCounts) -> Logger.Metadata {
    Dictionary(
      uniqueKeysWithValues: Fate.allCases.filter { fates[$0] > 0 }.map { ($0.rawValue, "\(fates[$0])") }
    )
  }

  private func name(_ key: PartitionKey) -> String { "\(key.topic)[\(key.partition)]" }

  private func names(_ keys: [PartitionKey]) -> String {
    keys.isEmpty ? "no partition" : keys.map(name).joined(separator: ", ")
  }
}
