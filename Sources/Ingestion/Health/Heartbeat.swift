import CountStore
import Glibc
import Threading
import Postgres

/// Writes every five seconds, on a connection of its own with short time limits, that this worker lives and how it
/// is; and at the end that it stops. So neither a long batch nor a vacuum looks like a dead worker.
///
/// - Note: `@unchecked Sendable`: `connection` is touched only by the thread that `start` makes; the mailboxes are
///   the only way in and out.
final class Heartbeat: @unchecked Sendable {
  /// Between two heartbeats, in milliseconds.
  static let interval: Int64 = 5_000
  /// After one that failed: a connection that has died must not cost a whole interval.
  private static let shortInterval: Int64 = 1_000
  /// Heartbeats between two looks for rows that are too old.
  private static let heartbeatsPerTidying = 720

  private let identity: WorkerHeartbeat.Identity
  private let options: ConnectionOptions
  private let state: @Sendable () -> WorkerHeartbeat
  private let observe: @Sendable (IngestionObservation) -> Void
  private let stopping = Mailbox<Bool>()
  private let ended = Mailbox<Bool>()
  private var connection: Connection?

  /// - Parameter state: how the worker is; called before each heartbeat.
  init(
    _ options: IngestionOptions,
    state: @escaping @Sendable () -> WorkerHeartbeat,
    observe: @escaping @Sendable (IngestionObservation) -> Void
  ) {
    var database = options.database
    database.connectTimeout = 3
    database.keepalivesIdle = 2
    database.keepalivesInterval = 1
    database.tcpUserTimeout = 3_000
    database.answerTimeout = 3
    database.settings += [
      ("statement_timeout", "2s"), ("lock_timeout", "2s"), ("synchronous_commit", "off"),
    ]
    self.options = database
    self.state = state
    self.observe = observe
    identity = WorkerHeartbeat.Identity(
      id: Self.newID(),
      version: options.version,
      host: Self.hostName(),
      pid: getpid()
    )
  }

  func start() { requireThread(name: "heartbeat") { [self] in work() } }

  /// Says goodbye, then ends the thread; returns at once.
  func stop() { stopping.close() }

  /// Waits for the end after `stop`.
  /// - Returns: whether it came in time.
  func hasEnded(waiting milliseconds: Int64) -> Bool { ended.take(waiting: milliseconds) != nil }

  private func work() {
    var heartbeats = 0
    while !stopping.hasClosed {
      let isDone = attempt { store throws(PostgresError) in
        try heartbeat(store)
        heartbeats += 1
        if heartbeats % Self.heartbeatsPerTidying == 1 { try store.forgetOldWorkers() }
      }
      stopping.sleep(milliseconds: isDone ? Self.interval : Self.shortInterval)
    }
    _ = attempt { store throws(PostgresError) in try heartbeat(store, isGoodbye: true) }
    connection?.close()
    ended.put(true)
  }

  private func heartbeat(_ store: CountStore, isGoodbye: Bool = false) throws(PostgresError) {
    var heartbeat = state()
    heartbeat.isGoodbye = isGoodbye
    let database = try store.heartbeat(identity, heartbeat)
    observe(.heartbeat(now: database.now, floor: database.floor))
    observe(.backgroundSucceeded(.heartbeat))
  }

  /// - Returns: whether it went well; what went wrong is observed.
  private func attempt(_ body: (CountStore) throws(PostgresError) -> Void) -> Bool {
    do throws(PostgresError) {
      let usable: Connection
      if let connection, connection.isUsable { usable = connection } else { usable = try Connection(options) }
      connection = usable
      try body(CountStore(usable))
      return true
    } catch {
      // A session that fails once is not worth a second try: a new one costs little.
      connection?.close()
      connection = nil
      observe(.heartbeatFailed(error))
      return false
    }
  }

  private static func newID() -> String {
    var random = SystemRandomNumberGenerator()
    func digits(_ value: UInt64) -> String {
      let text = String(value, radix: 16)
      return String(repeating: "0", count: 16 - text.count) + text
    }
    return digits(random.next()) + digits(random.next())
  }

  private static func hostName() -> String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "" }
    return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
