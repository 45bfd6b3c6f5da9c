import Threading
import CountStore
import Counting
import Glibc
import Postgres

/// What a worker's reading thread knows of the time, for its background work.
struct WorkerClocks: Sendable {
  /// This machine's.
  var host = HostClock.system
  /// The newest broker's time that was seen (`LogAppendTime`).
  var broker: @Sendable () -> BrokerTime? = { nil }
}

/// The thread that does what `Retention` does, once a minute, and every few seconds what waits in quarantine for its
/// time; on a connection of its own, so that no batch waits for it. Whatever goes wrong is observed and tried again;
/// it never stops the counting. While the database's clock is not agreed, it only makes partitions.
///
/// - Note: `@unchecked Sendable`: `retention` and `connection` are touched only by the thread that `start` makes; the
///   mailboxes are the only way in and out.
final class Maintenance: @unchecked Sendable {
  private let stopping = Mailbox<Bool>()
  private let ended = Mailbox<Bool>()
  private let options: ConnectionOptions
  private let observe: @Sendable (IngestionObservation) -> Void
  private let isStopping: @Sendable () -> Bool
  private let maximumCameras: Int
  private let clocks: WorkerClocks
  /// What was last observed of the clocks.
  private var hasReportedClock = (agreed: true, complains: false)
  /// What the worker's options say of retention; the stored settings hold.
  private let given: RetentionChange
  /// nil until the settings have been read.
  private var retention: Retention?
  private var connection: Connection?

  /// Between the end of a run and the next one, in milliseconds.
  private let pause: Int64
  /// Between two looks at what cannot wait as long.
  private static let shortPause: Int64 = 5_000

  init(
    _ options: IngestionOptions,
    clocks: WorkerClocks = WorkerClocks(),
    pause: Int64 = 60_000,
    isStopping: @escaping @Sendable () -> Bool,
    observe: @escaping @Sendable (IngestionObservation) -> Void
  ) {
    // Each step is short, but a vacuum or a chunk of a large fold may take longer than a batch's statement may.
    var database = options.database
    database.settings.append(("statement_timeout", "10min"))
    database.answerTimeout = 10 * 60 + 15
    self.options = database
    self.observe = observe
    self.pause = pause
    self.isStopping = isStopping
    self.clocks = clocks
    maximumCameras = options.maximumCameras
    given = options.retention
  }

  func start() {
    requireThread(name: "maintenance") { [self] in work() }
  }

  /// Ends the thread after the step in hand.
  /// - Returns: whether it ended in time; an interrupted step is rolled back by PostgreSQL.
  func stop(waiting milliseconds: Int64) -> Bool {
    stopping.close()
    return ended.take(waiting: milliseconds) != nil
  }

  private func work() {
    while !stopping.hasClosed {
      run()
      for _ in 0..<max(1, pause / Self.shortPause) where !stopping.hasClosed {
        tidy()
        stopping.sleep(milliseconds: min(pause, Self.shortPause))
      }
    }
    connection?.close()
    ended.put(true)
  }

  private func run() {
    do {
      let connection = try usableConnection()
      let store = CountStore(connection)
      var retention = try currentRetention(store)
      defer { self.retention = retention }
      let clock = try store.checkClock(clocks.host, broker: clocks.broker())
      report(clock)
      guard let now = clock.agreed else {
        // Counting goes on, and needs them.
        try store.ensurePartitions(thoroughly: true)
        return
      }
      let report = try retention.run(on: connection, at: now) { stopping.hasClosed || isStopping() }
      if !report.isEmpty, !report.isBusyElsewhere { observe(.maintained(report)) }
      observe(.backgroundSucceeded(.maintenance))
    } catch {
      observe(.maintenanceFailed(error))
      if let connection, !connection.isUsable { self.connection = nil }
    }
  }

  /// By the settings as they are stored now: `topitems retention set` needs no restart of workers.
  private func currentRetention(_ store: CountStore) throws(PostgresError) -> Retention {
    let policy = try store.settleRetention(given)
    var current = retention ?? Retention(policy)
    if retention?.policy != policy { observe(.retention(policy, given: given)) }
    current.policy = policy
    return current
  }

  private func report(_ clock: ClockCheck) {
    hasReportedClock = (clock.agreed != nil, clock.complaint != nil)
    observe(.clock(clock))
  }

  /// Counts quarantined events whose time has come, and what ended workers have noted of cameras. Cheap when there is
  /// none of either, and every worker may do it at once.
  private func tidy() {
    // A failure to connect is observed by the next run, once a minute.
    guard !stopping.hasClosed, !isStopping(), let connection = try? usableConnection() else { return }
    do {
      let store = CountStore(connection)
      let clock = try store.checkClock(clocks.host, broker: clocks.broker())
      // A lasting state is observed once a minute, a change at once.
      if (clock.agreed != nil, clock.complaint != nil) != hasReportedClock { report(clock) }
      var released = ReleaseReport()
      while let now = clock.agreed, !stopping.hasClosed, !isStopping() {
        let report = try store.releaseDueQuarantine(at: now, limit: .max)
        released += report
        // What stays would be found again and again.
        if report.readmitted.fates.total == 0 { break }
      }
      if released.readmitted.fates.total > 0 { observe(.released(released.readmitted)) }
      while !stopping.hasClosed, !isStopping(), try store.foldCameraChanges(limit: maximumCameras) > 0 {}
      observe(.backgroundSucceeded(.release))
    } catch {
      observe(.maintenanceFailed(error))
    }
  }

  private func usableConnection() throws(PostgresError) -> Connection {
    if let connection, connection.isUsable { return connection }
    connection?.close()
    connection = nil
    let fresh = try Connection(options)
    connection = fresh
    return fresh
  }
}
