import Foundation
import Glibc
import Threading
import Postgres
import Synchronization

/// Databases for tests, each fresh and used by one test only, so that tests can run at the same time.
///
/// They are made on the server that `TOPITEMS_TEST_DATABASE_URL` names (any database there; the role must be
/// allowed to create some), else on a cluster that is started once per process.
public enum TestDatabase {
  private static let server = Result { try Server() }
  private static let counter = Atomic<Int>(0)

  /// Runs the body with the URL of a new database, which is dropped afterwards, open connections or not.
  public static func withDatabase<T>(_ body: (_ url: String) throws -> T) throws -> T {
    let database = try create()
    defer { drop(database.name) }
    return try body(database.url)
  }

  /// Runs the body with the URL of a new database, which is dropped afterwards, open connections or not.
  public static func withDatabase<T>(_ body: (_ url: String) async throws -> T) async throws -> T {
    let database = try create()
    defer { drop(database.name) }
    return try await body(database.url)
  }

  /// The same URL with another database.
  public static func url(_ url: String, database: String) -> String {
    let (target, query) = url.firstIndex(of: "?").map { (url[..<$0], url[$0...]) } ?? (url[...], "")
    guard let scheme = target.range(of: "://") else { return "\(url) dbname=\(database)" }
    let authority = target[scheme.upperBound...].prefix { $0 != "/" }
    return "\(target[..<scheme.upperBound])\(authority)/\(database)\(query)"
  }

  private static func create() throws -> (name: String, url: String) {
    let number = counter.add(1, ordering: .relaxed).newValue
    let name = "test_\(getpid())_\(number)_\(UInt32.random(in: 0...(.max)))"
    let server = try server.get()
    try Connection(ConnectionOptions(url: server.url)).run(script: "CREATE DATABASE \(name)")
    return (name, url(server.url, database: name))
  }

  private static func drop(_ name: String) {
    guard let server = try? server.get() else { return }
    // A test may have left the server stopped or gone; its own failure is the one to show.
    try? Connection(ConnectionOptions(url: server.url))
      .run(script: "DROP DATABASE IF EXISTS \(name) WITH (FORCE)")
  }

  /// The shared server.
  private struct Server: Sendable {
    let url: String

    init() throws {
      if let url = ProcessInfo.processInfo.environment["TOPITEMS_TEST_DATABASE_URL"], !url.isEmpty {
        self.url = url
        return
      }
      // The cluster's watchdog ends it with this process.
      let cluster = try PostgresCluster(fsync: false)
      url = cluster.url()
      Self.cluster.withLock { $0 = cluster }
    }

    private static let cluster = Lock<PostgresCluster?>(nil)
  }
}
