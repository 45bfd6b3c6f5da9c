import Foundation
import Glibc
import Threading

/// A PostgreSQL server of its own in a temporary folder, on a free port of the loopback interface.
///
/// It ends with ``remove()``, with its last reference, or when this process dies in whatever way. Passwords are
/// checked (SCRAM); the superuser `postgres` has a random one, which is part of ``url(database:)``.
public final class PostgresCluster: Sendable {
  /// How `pg_ctl stop` treats sessions.
  public enum StopMode: String, Sendable {
    /// Rolls back and disconnects.
    case fast
    /// As a crash: the next start recovers.
    case immediate
  }

  /// The port on 127.0.0.1; a restart keeps it.
  public let port: Int
  /// The temporary folder with data, socket and log.
  public let folder: String
  /// The superuser's, of letters and digits.
  public let password: String
  private let clock: SettableClock?
  private let programs: PostgresPrograms
  private let watchdog: Watchdog
  private let isRemoved = Lock(false)

  /// Makes and starts a cluster; takes about two seconds.
  ///
  /// - Parameters:
  ///   - fsync: off is faster; commits then survive a crash of the server, not of the machine.
  ///   - settings: further lines for `postgresql.conf`.
  ///   - options: further ones for `initdb`.
  ///   - hasSettableClock: whether ``setClock(ahead:)`` works.
  public init(
    fsync: Bool = true,
    settings: [String: String] = [:],
    options: [String] = [],
    hasSettableClock: Bool = false
  ) throws {
    programs = try PostgresPrograms()
    folder = try programs.makeFolder()
    password = (0..<24).map { _ in String("abcdefghijkmnpqrstuvwxyz23456789".randomElement() ?? "x") }
      .joined()
    port = Int(try FreePort.take())
    watchdog = try Watchdog(stopping: folder, with: programs)
    do {
      clock = hasSettableClock ? try SettableClock(in: folder, with: programs) : nil
    } catch {
      watchdog.finish()
      throw error
    }
    do {
      try initialize(settings: ["fsync": fsync ? "on" : "off"].merging(settings) { $1 }, options: options)
      try start()
    } catch {
      remove()
      throw error
    }
  }

  /// Makes and starts a standby that streams from a cluster.
  ///
  /// - Parameter primaryPort: where it connects to, the cluster's port or a proxy's.
  public init(standbyOf primary: PostgresCluster, port primaryPort: Int) throws {
    programs = primary.programs
    folder = try programs.makeFolder()
    password = primary.password
    port = Int(try FreePort.take())
    clock = nil
    watchdog = try Watchdog(stopping: folder, with: programs)
    do {
      let passwords = folder + "/passwords"
      try programs.write("127.0.0.1:*:*:postgres:\(password)\n", to: passwords)
      let target = "host=127.0.0.1 port=\(primaryPort) user=postgres passfile=\(passwords)"
      try programs.run(
        "pg_basebackup",
        ["-D", folder + "/data", "-d", target, "-R", "-X", "stream", "-c", "fast", "--no-sync"],
        in: folder
      )
      let settings = "port = \(port)\nunix_socket_directories = '\(folder)'\n"
      let file = try FileHandle(forWritingTo: URL(fileURLWithPath: folder + "/data/postgresql.conf"))
      try file.seekToEnd()
      try file.write(contentsOf: Data(settings.utf8))
      try file.close()
      try start()
    } catch {
      remove()
      throw error
    }
  }

  deinit {
    remove()
  }

  /// Makes a standby a server that can be written to.
  public func promote() throws {
    try programs.run("pg_ctl", ["-D", folder + "/data", "-w", "promote"], in: folder)
  }

  /// Where to find the server's log.
  public var logFile: String { folder + "/server.log" }

  /// A URL with the superuser and its password.
  public func url(database: String = "postgres") -> String {
    "postgresql://postgres:\(password)@127.0.0.1:\(port)/\(database)"
  }

  /// Starts the stopped server and waits until it takes connections.
  public func start() throws {
    try programs.run(
      "pg_ctl",
      ["-D", folder + "/data", "-w", "-t", "60", "-l", logFile, "start"],
      in: folder,
      environment: clock?.environment ?? [:]
    )
  }

  /// Sets the server's wall clock so many seconds ahead of this machine's, or behind it, while it runs; its monotonic
  /// clock goes on. The server must have been made with a settable clock.
  public func setClock(ahead seconds: Int) throws {
    guard let clock else { throw TestSupportError("the cluster has no settable clock") }
    try clock.set(ahead: seconds)
  }

  /// Stops the server and waits for its end.
  public func stop(_ mode: StopMode = .fast) throws {
    try programs.run("pg_ctl", ["-D", folder + "/data", "-w", "-m", mode.rawValue, "stop"], in: folder)
  }

  /// Stops and starts.
  public func restart(_ mode: StopMode = .fast) throws {
    try stop(mode)
    try start()
  }

  /// Makes the server read `postgresql.conf` again.
  public func reload() throws {
    try programs.run("pg_ctl", ["-D", folder + "/data", "reload"], in: folder)
  }

  /// Ends the server and deletes everything. Calling it twice is fine.
  public func remove() {
    let isFirst = isRemoved.withLock { removed in
      defer { removed = true }
      return !removed
    }
    if isFirst { watchdog.finish() }
  }

  private func initialize(settings: [String: String], options: [String]) throws {
    // A file, not an argument: arguments are visible to every user of the machine.
    let passwordFile = folder + "/password"
    try programs.write(password + "\n", to: passwordFile)
    try programs.run(
      "initdb",
      [
        "-D", folder + "/data", "-U", "postgres", "--pwfile", passwordFile, "-A", "scram-sha-256", "-E",
        "UTF8",
        "--locale=C", "--no-sync",
      ] + options,
      in: folder
    )
    try FileManager.default.removeItem(atPath: passwordFile)
    let defaults = [
      "listen_addresses": "'127.0.0.1'", "port": "\(port)", "unix_socket_directories": "'\(folder)'",
      "max_connections": "200", "timezone": "'UTC'", "log_line_prefix": "'%m [%p] %d '",
    ]
    let lines = defaults.merging(settings) { $1 }.sorted { $0.key < $1.key }.map { "\($0) = \($1)\n" }
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: folder + "/data/postgresql.conf"))
    try file.seekToEnd()
    try file.write(contentsOf: Data(lines.joined().utf8))
    try file.close()
  }
}
