import Foundation
import Glibc
import Postgres
import TestSupport
import Testing

@Suite("PostgreSQL failures")
struct PostgresFailureTests {
  @Test("a backend that is ended mid-transaction is a retriable error, and the connection is not usable")
  func terminated() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      let other = try Connection(ConnectionOptions(url: url))
      let pid = connection.backendPid
      let error = #expect(throws: PostgresError.self) {
        try connection.transaction { connection throws(PostgresError) in
          _ = try other.execute("SELECT pg_terminate_backend(\(pid), 5000)")
          _ = try connection.execute("SELECT 1")
        }
      }
      #expect(error?.kind == .connection)
      #expect(error?.remedy == .renewSession)
      #expect(!connection.isUsable && !connection.isInTransaction)
      let closed = #expect(throws: PostgresError.self) { _ = try connection.execute("SELECT 1") }
      #expect(closed?.kind == .connection)
    }
  }

  @Test(
    "a database in another encoding than UTF8 is refused, and the error says what to do",
    arguments: ["LATIN1", "SQL_ASCII"]
  )
  func encoding(_ encoding: String) throws {
    try TestDatabase.withDatabase { url in
      let name =
        "\(try Connection(ConnectionOptions(url: url)).execute("SELECT current_database()::text").string(0, 0))_x"
      let server = try Connection(ConnectionOptions(url: url))
      try server.run(script: "CREATE DATABASE \(name) ENCODING '\(encoding)' LOCALE 'C' TEMPLATE template0")
      defer { try? server.run(script: "DROP DATABASE \(name) WITH (FORCE)") }
      let error = #expect(throws: PostgresError.self) {
        _ = try Connection(ConnectionOptions(url: TestDatabase.url(url, database: name)))
      }
      #expect(error?.kind == .configuration)
      #expect(error?.remedy == .halt)
      #expect(error?.message.contains("\(encoding), UTF8 is needed") == true, "\(String(describing: error))")
    }
  }

  @Test("a running statement that is ended has the server's SQLSTATE")
  func terminatedWhileRunning() throws {
    try TestDatabase.withDatabase { url in
      let other = try Connection(ConnectionOptions(url: url))
      let work = Background { () -> PostgresError? in
        let connection = try Connection(ConnectionOptions(url: url))
        do {
          _ = try connection.execute("SELECT pg_sleep(60)")
          return nil
        } catch {
          return error as? PostgresError
        }
      }
      try waitUntil("the statement runs") { try terminate(whoRuns: "SELECT pg_sleep(60)", on: other) }
      let error = try work.value()
      #expect(error?.kind == .connection)
      #expect(error?.sqlState == .adminShutdown)
    }
  }

  @Test("a backend that was ended before COMMIT is sent is a known failure")
  func lostBeforeCommit() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      let other = try Connection(ConnectionOptions(url: url))
      try connection.run(script: "CREATE TABLE t (a int)")
      let pid = connection.backendPid
      let error = #expect(throws: PostgresError.self) {
        try connection.transaction { connection throws(PostgresError) in
          _ = try connection.execute("INSERT INTO t VALUES (1)")
          _ = try other.execute("SELECT pg_terminate_backend(\(pid), 5000)")
        }
      }
      #expect(error?.kind == .connection)
      #expect(try other.execute("SELECT count(*) FROM t").int64(0, 0) == 0)
    }
  }

  @Test("a connection lost during COMMIT is an unknown outcome: here nothing was committed")
  func commitUnknown() throws {
    try TestDatabase.withDatabase { url in
      let other = try Connection(ConnectionOptions(url: url))
      try other.run(
        script: """
          CREATE TABLE t (a int);
          CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NULL; END';
          CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION slow();
          """
      )
      let error = try commitAndTerminate(url: url, other: other, waitEvent: "PgSleep")
      #expect(error?.kind == .commitUnknown)
      #expect(try other.execute("SELECT count(*) FROM t").int64(0, 0) == 0)
    }
  }

  @Test("a connection lost during COMMIT is an unknown outcome: here it was committed")
  func commitUnknownButDone() throws {
    // COMMIT waits for a standby that does not exist, after it has become durable here.
    let cluster = try PostgresCluster(
      fsync: false,
      settings: ["synchronous_standby_names": "'absent'", "synchronous_commit": "local"]
    )
    defer { cluster.remove() }
    let other = try Connection(ConnectionOptions(url: cluster.url()))
    try other.run(script: "CREATE TABLE t (a int)")
    let error = try commitAndTerminate(
      url: cluster.url() + "?options=-csynchronous_commit%3Don",
      other: other,
      waitEvent: "SyncRep"
    )
    #expect(error?.kind == .commitUnknown)
    #expect(try other.execute("SELECT count(*) FROM t").int64(0, 0) == 1)
  }

  /// Inserts and commits on another thread, and ends its backend once COMMIT waits for that event.
  private func commitAndTerminate(url: String, other: Connection, waitEvent: String) throws -> PostgresError?
  {
    let work = Background { () -> PostgresError? in
      let connection = try Connection(ConnectionOptions(url: url))
      do {
        try connection.transaction { connection throws(PostgresError) in
          _ = try connection.execute("INSERT INTO t VALUES (1)")
        }
        return nil
      } catch {
        #expect(!connection.isUsable)
        return error as? PostgresError
      }
    }
    try waitUntil("COMMIT waits for \(waitEvent)") {
      try terminate(whoRuns: "COMMIT", waitingFor: waitEvent, on: other)
    }
    return try work.value()
  }

  /// Ends the backends that run exactly this; whether there was one.
  private func terminate(whoRuns sql: String, waitingFor event: String? = nil, on other: Connection) throws
    -> Bool
  {
    try other.execute(
      """
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE state = 'active' AND query = \(sql) AND datname = current_database()
        AND wait_event = coalesce(\(event), wait_event)
      """
    ).count > 0
  }

  @Test("the server's restart is a retriable error, and a new connection works")
  func restart() throws {
    let cluster = try PostgresCluster(fsync: false)
    defer { cluster.remove() }
    let connection = try Connection(ConnectionOptions(url: cluster.url()))
    try cluster.stop(.immediate)
    let lost = #expect(throws: PostgresError.self) { _ = try connection.execute("SELECT 1") }
    #expect(lost?.kind == .connection)
    let refused = #expect(throws: PostgresError.self) {
      _ = try Connection(ConnectionOptions(url: cluster.url()))
    }
    #expect(refused?.kind == .connection)
    #expect(refused?.remedy == .renewSession)
    try cluster.start()
    #expect(try Connection(ConnectionOptions(url: cluster.url())).execute("SELECT 1").int64(0, 0) == 1)
  }

  @Test("a wrong password is an error that shows neither it nor the right one")
  func wrongPassword() throws {
    let cluster = try PostgresCluster(fsync: false)
    defer { cluster.remove() }
    let url = "postgresql://postgres:hunter2@127.0.0.1:\(cluster.port)/postgres"
    let error = #expect(throws: PostgresError.self) { _ = try Connection(ConnectionOptions(url: url)) }
    #expect(error?.kind == .connection)
    #expect(error?.message.contains("password authentication failed") == true)
    #expect(!String(describing: error).contains("hunter2"))
  }

  @Test("a server that accepts and then says nothing costs the connect time-out, not for ever")
  func silentServer() throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { Glibc.close(listener) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(UInt32(0x7F00_0001).bigEndian)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let port = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
        bind(listener, raw, size) == 0 && listen(listener, 8) == 0 && getsockname(listener, raw, &size) == 0
          ? UInt16(bigEndian: pointer.pointee.sin_port) : 0
      }
    }
    try #require(port != 0)
    var options = ConnectionOptions(url: "postgresql://user@127.0.0.1:\(port)/db")
    options.connectTimeout = 2
    let start = ContinuousClock.now
    let error = #expect(throws: PostgresError.self) { _ = try Connection(options) }
    #expect(error?.kind == .connection)
    #expect(ContinuousClock.now - start < .seconds(8))
  }
}
