import Counting
import Glibc
public import Postgres
import Threading

/// What the listener reports.
public enum RevisionEvent: Sendable {
  /// All changes are reported from now on. There may have been others before.
  case attached(RevisionListener.Mode)
  /// What was committed since; nothing, when the silence has been checked.
  case changed(CommittedChanges)
  /// The state of the workers, every few seconds; nil where it cannot be read: the table does not exist yet, or this
  /// role may not read it.
  case workers(WorkerReading?)
  /// No changes are reported until `attached`.
  case detached(PostgresError)
}

/// Listens to `NOTIFY` on a connection of its own, for as long as the process lives.
///
/// It receives changes at once and reports them through `ChangeThrottle`, so that no response is recomputed more than
/// 20 times a second. Silence is not trusted: every second the newest revision is asked for, so that a connection on
/// which nothing can arrive (a black hole, a pooler that gives the session to another client) is found. There, and
/// where `LISTEN` is not possible, as on a read replica, it polls the table of revisions; from time to time it tries
/// `LISTEN` again, in a new session, which may lead to another server.
public struct RevisionListener: Sendable {
  /// How the changes are learned.
  public enum Mode: String, Sendable {
    /// By `LISTEN`.
    case listening
    /// By asking for the newest revision every 100 ms.
    case polling
  }

  /// How long the listener may be silent before the newest revision is read. A subscriber that receives nothing for
  /// several times as long must not rely on what it has cached.
  public static let heartbeat = Duration.seconds(1)
  /// After which it looks whether to stop.
  private static let attention = Duration.milliseconds(250)
  private static let pollingPause = Duration.milliseconds(100)
  /// How often it looks at the workers.
  public static let workersPause = Duration.seconds(2)

  private let options: ConnectionOptions
  private let pollingSpan: Duration
  private let isStopping: @Sendable () -> Bool
  private let report: @Sendable (RevisionEvent) -> Void

  /// - Parameters:
  ///   - pollingSpan: how long it polls before it tries `LISTEN` again. While that misses notifications, it polls for
  ///     twice as long each time, up to an hour.
  ///   - isStopping: asked several times a second.
  ///   - report: receives the reports, on the thread that runs.
  public init(
    _ options: ConnectionOptions,
    pollingSpan: Duration = .seconds(60),
    isStopping: @escaping @Sendable () -> Bool = { false },
    report: @escaping @Sendable (RevisionEvent) -> Void
  ) {
    self.options = options
    self.pollingSpan = pollingSpan
    self.isStopping = isStopping
    self.report = report
  }

  private static let retries = Backoff(first: 100, most: 1300)

  /// Blocks until `isStopping`; reconnects with growing pauses of up to 2 s.
  public func run() {
    var retries = Self.retries
    var backoff = ListenBackoff(firstSpan: pollingSpan)
    while !isStopping() {
      do throws(PostgresError) {
        try session(&retries, &backoff)
      } catch {
        report(.detached(error))
        sleep(.milliseconds(retries.next()))
      }
    }
  }

  private func session(_ retries: inout Backoff, _ backoff: inout ListenBackoff) throws(PostgresError) {
    var connection = try Connection(options)
    defer { connection.close() }
    while !isStopping() {
      if backoff.isOver(.now), try listens(connection) {
        // Read before the report: all later commits must be reported.
        let last = try newestRevision(connection)
        report(.attached(.listening))
        retries = Self.retries
        let start = ContinuousClock.now
        do {
          try listen(connection, since: last)
        } catch {
          if error.sqlState == Self.missedNotification { backoff.record(listeningSince: start, .now) }
          throw error
        }
      } else {
        let last = try newestRevision(connection)
        report(.attached(.polling))
        retries = Self.retries
        let until = backoff.isOver(.now) ? nil : backoff.end
        guard let listening = try poll(connection, since: last, until: until) else { return }
        connection.close()
        connection = listening
      }
    }
  }

  // MARK: Listening

  /// Whether the server takes `LISTEN`: a standby refuses it (25006; 0A000 in other products), and can be polled.
  private func listens(_ connection: Connection) throws(PostgresError) -> Bool {
    do {
      // A session that is refused it is polled: it must not count as one to be renewed.
      try connection.allowingRefusal { () throws(PostgresError) in
        try connection.listen(to: CountStore.revisionChannel)
      }
      return true
    } catch {
      guard error.sqlState == .readOnlyTransaction || error.sqlState == .featureNotSupported else {
        throw error
      }
      return false
    }
  }

  /// A new session that takes `LISTEN`, nil where there is none to be had.
  private func listeningSession() -> Connection? {
    guard let connection = try? Connection(options) else { return nil }
    if (try? listens(connection)) == true { return connection }
    connection.close()
    return nil
  }

  private func listen(_ connection: Connection, since first: Int64) throws(PostgresError) {
    var last = first
    var quietSince = ContinuousClock.now
    // A commit is visible a moment before its notification: the expected revision, and until when.
    var expected: (revision: Int64, until: ContinuousClock.Instant)?
    var lanes = ChangeThrottle()
    var nextLook = ContinuousClock.now
    while !isStopping() {
      try lookAtWorkers(connection, &nextLook)
      var now = ContinuousClock.now
      let limit = min(Self.attention, (lanes.due(after: now) ?? now + Self.attention) - now)
      let notices = try receive(connection, within: limit)
      now = .now
      let changes = lanes.take(notices, at: now)
      if !changes.isEmpty { report(.changed(changes)) }
      if !notices.isEmpty {
        last = max(last, notices.map(\.revision).max() ?? last)
        quietSince = now
      }
      if let late = expected {
        if last >= late.revision {
          expected = nil
        } else if now >= late.until {
          throw PostgresError(.connection, "a NOTIFY did not arrive", sqlState: Self.missedNotification)
        }
      } else if now - quietSince >= Self.heartbeat {
        let newest = try newestRevision(connection)
        if newest > last {
          expected = (newest, .now + Self.heartbeat)
        } else {
          report(.changed(CommittedChanges()))
        }
        quietSince = .now
      }
    }
  }

  /// SQLSTATE of a session that receives no notifications: class 08, connection exception.
  private static let missedNotification = SQLState(rawValue: "08TID")

  /// Waits for a notice, and takes those that have come with it.
  private func receive(_ connection: Connection, within limit: Duration) throws(PostgresError)
    -> [RevisionNotice]
  {
    let milliseconds = Int32((limit / .milliseconds(1)).rounded(.up))
    guard let first = try connection.waitForNotification(timeout: milliseconds) else { return [] }
    var notices = [Self.notice(first)]
    while notices.count < 10_000, let next = try connection.waitForNotification(timeout: 0) {
      notices.append(Self.notice(next))
    }
    return notices
  }

  /// What is not understood may have changed anything.
  private static func notice(_ notification: Notification) -> RevisionNotice {
    RevisionNotice(payload: notification.payload) ?? RevisionNotice(revision: 0, locations: nil)
  }

  private func newestRevision(_ connection: Connection) throws(PostgresError) -> Int64 {
    try connection.execute("SELECT coalesce(max(revision), 0) FROM revision").int64(0, 0)
  }

  // MARK: Workers

  private func lookAtWorkers(_ connection: Connection, _ next: inout ContinuousClock.Instant)
    throws(PostgresError)
  {
    guard ContinuousClock.now >= next else { return }
    do {
      report(.workers(try CountStore(connection).workers()))
    } catch {
      // Responses do not depend on it: they are kept and changed as before.
      guard connection.isUsable else { throw error }
      report(.workers(nil))
    }
    next = .now + Self.workersPause
  }

  // MARK: Polling

  /// Polls until `LISTEN` succeeds. Responses that are cached stay valid meanwhile.
  ///
  /// - Parameter start: when to try it; nil when it was refused.
  /// - Returns: the session in which it was taken; nil when it is to stop.
  private func poll(_ connection: Connection, since first: Int64, until start: ContinuousClock.Instant?)
    throws(PostgresError) -> Connection?
  {
    var nextAttempt = start ?? .now + pollingSpan
    var last = first
    var nextLook = ContinuousClock.now
    while !isStopping() {
      try lookAtWorkers(connection, &nextLook)
      sleep(Self.pollingPause)
      if ContinuousClock.now >= nextAttempt {
        // Where a standby has refused it, the name may lead to the primary by now: the session is not asked again.
        if let listening = listeningSession() { return listening }
        nextAttempt = .now + pollingSpan
      }
      let result = try connection.execute(
        """
        SELECT revision, locations, (SELECT max(max_event_at) FROM ingest_offset)
        FROM revision WHERE revision > \(last) ORDER BY revision
        """
      )
      var notices: [RevisionNotice] = []
      for row in 0..<result.count {
        notices.append(
          RevisionNotice(
            revision: try result.int64(row, 0),
            newestEvent: try result.optionalTimestamp(row, 2).map(Timestamp.init(microseconds:)),
            locations: result.isNull(row, 1) ? nil : try result.int64Array(row, 1)
          )
        )
      }
      last = notices.last?.revision ?? last
      report(.changed(CommittedChanges(notices)))
    }
    return nil
  }

  private func sleep(_ duration: Duration) {
    let end = ContinuousClock.now + duration
    while !isStopping() {
      let left = end - ContinuousClock.now
      guard left > .zero else { return }
      usleep(UInt32(min(left, .milliseconds(50)) / .microseconds(1)) + 1)
    }
  }
}
