import Counting
public import Postgres

/// The work behind the counting: partitions made ahead, levels folded, what is too old dropped and purged.
///
/// One session at a time does it: a worker's background thread or the command.
public struct Retention: Sendable {
  /// What is kept.
  public var policy: RetentionPolicy
  /// The purge of detections goes on at the next run where this one's time was up.
  private var detections = PurgeCursor()
  private var purgeIsDue = true

  /// Retention by a policy.
  public init(_ policy: RetentionPolicy) {
    self.policy = policy
  }

  /// Does what is due.
  ///
  /// - Parameters:
  ///   - connection: without an open transaction.
  ///   - now: what is taken for the present. The database's clock alone is not agreed (`CountStore.checkClock`).
  ///   - isStopping: asked between the steps, which are short: an interrupted run costs nothing but the repetition.
  /// - Throws: `PostgresError`, the first one: a step that fails, as one that waits for a lock does under a long
  ///   transaction of others, does not keep the next ones from being done.
  public mutating func run(
    on connection: Connection,
    at now: AgreedTime,
    isStopping: () -> Bool = { false }
  ) throws(PostgresError) -> RetentionReport {
    var report = RetentionReport()
    let store = CountStore(connection)
    guard try store.lockMaintenance() else {
      // Workers need them also while another session folds and drops, and making them is safe to do twice.
      try store.ensurePartitions(thoroughly: true)
      report.isBusyElsewhere = true
      return report
    }
    do {
      try work(store, connection, now, &report, isStopping)
    } catch {
      if connection.isUsable { try? store.unlockMaintenance() }
      throw error
    }
    try store.unlockMaintenance()
    return report
  }

  private mutating func work(
    _ store: CountStore,
    _ connection: Connection,
    _ now: AgreedTime,
    _ report: inout RetentionReport,
    _ isStopping: () -> Bool
  ) throws(PostgresError) {
    var steps = Steps(connection)
    // First: a table that an interrupted run has detached and not dropped blocks a partition of its name.
    try steps.attempt { () throws(PostgresError) in
      report.droppedPartitions = try store.dropRetiredPartitions(isStopping: isStopping)
    }
    try steps.attempt { () throws(PostgresError) in try store.ensurePartitions(thoroughly: true) }
    try steps.attempt { () throws(PostgresError) in try fold(store, now, &report, isStopping) }
    try steps.attempt { () throws(PostgresError) in
      report.floor = try store.raiseFloor(policy, at: now)
      if report.floor != nil { purgeIsDue = true }
    }
    try steps.attempt { () throws(PostgresError) in
      try store.retirePartitions(policy, at: now)
      report.droppedPartitions += try store.dropRetiredPartitions(isStopping: isStopping)
    }
    try steps.attempt { () throws(PostgresError) in try purge(store, now, &report, isStopping) }
    try steps.attempt { () throws(PostgresError) in
      report.trimmedRevisions = try Self.trimRevisions(store, policy, now, isStopping)
    }
    if let failure = steps.failure { throw failure }
  }

  /// Steps that do not depend on each other's success.
  private struct Steps {
    private let connection: Connection
    private(set) var failure: PostgresError?

    init(_ connection: Connection) { self.connection = connection }

    /// - Throws: the first failure, when the connection is lost.
    mutating func attempt(_ step: () throws(PostgresError) -> Void) throws(PostgresError) {
      do throws(PostgresError) {
        try step()
      } catch {
        failure = failure ?? error
        guard connection.isUsable else { throw failure ?? error }
      }
    }
  }

  private func fold(
    _ store: CountStore,
    _ now: AgreedTime,
    _ report: inout RetentionReport,
    _ isStopping: () -> Bool
  ) throws(PostgresError) {
    let target = now.limited(to: try store.retentionState(now: now.time).foldTarget(policy))
    for level in RollupLevel.allCases where !isStopping() {
      guard let fold = try store.fold(level, until: target, isStopping: isStopping) else { continue }
      report.folded.append((level: level, until: fold.to, rows: fold.rows))
      try store.vacuum(after: fold)
    }
  }

  private mutating func purge(
    _ store: CountStore,
    _ now: AgreedTime,
    _ report: inout RetentionReport,
    _ isStopping: () -> Bool
  ) throws(PostgresError) {
    if purgeIsDue {
      report.purgedDetections = try Self.throughTheTable(&detections, isStopping) {
        cursor throws(PostgresError) in
        try store.purgeDetections(policy, at: now, &cursor)
      }
      purgeIsDue = !detections.isAtStart
    }
    if let seconds = policy.deadLetters {
      var cursor = PurgeCursor()
      report.purgedDeadLetters = try Self.throughTheTable(&cursor, isStopping) {
        cursor throws(PostgresError) in
        try store.purgeDeadLetters(olderThan: seconds, at: now, &cursor)
      }
    }
    if let seconds = policy.quarantine {
      var cursor = PurgeCursor()
      report.purgedQuarantine = try Self.throughTheTable(&cursor, isStopping) {
        cursor throws(PostgresError) in
        try store.purgeQuarantine(olderThan: seconds, at: now, &cursor)
      }
    }
  }

  /// All that are due: each commit of every worker since the last run has left one.
  private static func trimRevisions(
    _ store: CountStore,
    _ policy: RetentionPolicy,
    _ now: AgreedTime,
    _ isStopping: () -> Bool
  ) throws(PostgresError) -> Int {
    let batch = 10_000
    var (trimmed, latest) = (0, 0)
    repeat {
      latest = try store.trimRevisions(
        olderThanSeconds: policy.revisions,
        at: now,
        limit: Int64(batch)
      )
      trimmed += latest
    } while latest == batch && !isStopping()
    return trimmed
  }

  /// Goes through the table to its end, one range of pages at a time.
  private static func throughTheTable(
    _ cursor: inout PurgeCursor,
    _ isStopping: () -> Bool,
    purge: (inout PurgeCursor) throws(PostgresError) -> Int
  ) throws(PostgresError) -> Int {
    var purged = 0
    repeat {
      purged += try purge(&cursor)
    } while !cursor.isAtStart && !isStopping()
    return purged
  }
}
