import Postgres
import TestSupport
import Testing

@Suite("PostgreSQL: several statements in one round trip")
struct PostgresPipelineTests {
  private func withTable(_ body: (Connection, _ url: String) throws -> Void) throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      try connection.run(
        script: "CREATE TABLE t (a bigint PRIMARY KEY, b bigint UNIQUE DEFERRABLE INITIALLY DEFERRED)"
      )
      try body(connection, url)
    }
  }

  private func count(_ connection: Connection) throws -> Int64 {
    try connection.execute("SELECT count(*) FROM t").int64(0, 0)
  }

  private func insertion(_ a: Int64, _ b: Int64? = nil) -> Query {
    "INSERT INTO t VALUES (\(a), \(b)) RETURNING a"
  }

  @Test("each statement sees what those before it did, and results are taken in any order")
  func results() throws {
    try withTable { connection, _ throws in
      for round in 0..<3 as Range<Int64> {
        let results = try connection.pipeline([insertion(round), "SELECT count(*) FROM t"])
        #expect(try results.take(1).int64(0, 0) == round + 1)
        #expect(try results.take(0).int64(0, 0) == round)
      }
      _ = try connection.pipeline([])
      #expect(try connection.execute("SELECT 1::bigint").int64(0, 0) == 1)
    }
  }

  @Test("more than the buffers of both sides hold comes through")
  func large() throws {
    try withTable { connection, _ throws in
      let numbers = (0..<300_000).map { Int64($0) }
      let query: Query = "SELECT n FROM unnest(\(numbers)) AS n"
      let results = try connection.pipeline([query, query, query])
      for index in 0..<3 { #expect(results.take(index).count == 300_000) }
    }
  }

  @Test("begun and committed with statements, a transaction is like any other")
  func transaction() throws {
    try withTable { connection, _ throws in
      let opening = try connection.begin(running: [insertion(1)])
      #expect(connection.isInTransaction)
      #expect(try opening.take(1).int64(0, 0) == 1)
      let nested = #expect(throws: PostgresError.self) { _ = try connection.begin(running: []) }
      #expect(nested?.sqlState == .activeTransaction)
      let closing = try connection.commit(running: [insertion(2), "SELECT count(*) FROM t"])
      #expect(try closing.take(1).int64(0, 0) == 2)
      #expect(!connection.isInTransaction)
      #expect(try count(connection) == 2)
      let outside = #expect(throws: PostgresError.self) { _ = try connection.commit(running: []) }
      #expect(outside?.sqlState == .noActiveTransaction)
    }
  }

  @Test("behind a statement that fails, nothing is run, COMMIT neither", arguments: 0..<3)
  func failure(position: Int) throws {
    try withTable { connection, _ throws in
      var queries = (0..<3).map { insertion(Int64($0)) }
      queries[position] = "SELECT 1 / (\(position) - \(position))"
      _ = try connection.begin(running: [])
      let error = #expect(throws: PostgresError.self) { _ = try connection.commit(running: queries) }
      #expect(error?.kind == .server && error?.sqlState?.rawValue == "22012")
      #expect(error?.sql == queries[position].sql)
      #expect(connection.isUsable && !connection.isInTransaction)
      #expect(try count(connection) == 0)
    }
  }

  @Test("an argument that cannot be sent fails like a statement")
  func value() throws {
    try withTable { connection, _ throws in
      _ = try connection.begin(running: [])
      let error = #expect(throws: PostgresError.self) {
        _ = try connection.commit(running: [insertion(1), "SELECT \(timestamp: Int64.min)", insertion(2)])
      }
      #expect(error?.kind == .value)
      #expect(connection.isUsable && !connection.isInTransaction)
      #expect(try count(connection) == 0)
    }
  }

  @Test("a constraint that fails at COMMIT is a failed COMMIT, not an unknown one")
  func deferredConstraint() throws {
    try withTable { connection, _ throws in
      _ = try connection.begin(running: [insertion(1, 1)])
      let error = #expect(throws: PostgresError.self) {
        _ = try connection.commit(running: [insertion(2, 1)])
      }
      #expect(error?.kind == .server && error?.sqlState == .uniqueViolation && error?.sql == "COMMIT")
      #expect(connection.isUsable && !connection.isInTransaction)
    }
  }

  @Test("a transaction that failed before is not committed")
  func failedBefore() throws {
    try withTable { connection, _ throws in
      _ = try connection.begin(running: [insertion(1)])
      #expect(throws: PostgresError.self) { try connection.run(script: "SELECT 1/0") }
      let error = #expect(throws: PostgresError.self) { _ = try connection.commit(running: []) }
      #expect(error?.sqlState == .inFailedTransaction)
      #expect(try count(connection) == 0)
    }
  }

  @Test("a plan made stale by a schema change is an error that is worth retrying, and prepared again then")
  func stalePlan() throws {
    try withTable { connection, _ throws in
      let query: Query = "SELECT * FROM t"
      _ = try connection.pipeline([query])
      try connection.run(script: "ALTER TABLE t ADD c int")
      let error = #expect(throws: PostgresError.self) { _ = try connection.pipeline([query]) }
      #expect(error?.remedy == .renewSession)
      #expect(try connection.pipeline([query]).take(0).columnCount == 3)
    }
  }

  @Test(
    "a client whose backend is ended before COMMIT knows it, and during COMMIT not",
    arguments: [false, true]
  )
  func terminated(duringCommit: Bool) throws {
    try withTable { connection, url throws in
      try connection.run(
        script: """
          CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
          CREATE CONSTRAINT TRIGGER die AFTER INSERT ON t DEFERRABLE
            INITIALLY \(duringCommit ? "DEFERRED" : "IMMEDIATE") FOR EACH ROW EXECUTE FUNCTION die();
          """
      )
      _ = try connection.begin(running: [])
      let error = #expect(throws: PostgresError.self) {
        _ = try connection.commit(running: [insertion(1), "SELECT count(*) FROM t"])
      }
      #expect(error?.kind == (duringCommit ? .commitUnknown : .connection))
      #expect(error?.sqlState == .adminShutdown)
      #expect(!connection.isUsable)
      #expect(try count(Connection(ConnectionOptions(url: url))) == 0)
    }
  }

  @Test("a connection that is cut before COMMIT arrives, or before its response does, leaves it unknown")
  func cut() throws {
    try withTable { connection, url throws in
      let proxy = try FaultProxy(to: url)
      defer { proxy.close() }
      for (key, reaction) in [(1, .cutBefore), (2, .cutAfter)] as [(Int64, FaultProxy.Reaction)] {
        let cut = try Connection(ConnectionOptions(url: proxy.url(url)))
        _ = try cut.begin(running: [])
        proxy.react(to: FaultProxy.commitMessage, .toServer, reaction)
        let error = #expect(throws: PostgresError.self) {
          _ = try cut.commit(running: [insertion(key)])
        }
        #expect(error?.kind == .commitUnknown)
        #expect(!cut.isUsable)
      }
      try waitUntil("the second is committed") {
        try connection.execute("SELECT a FROM t").count == 1
      }
      #expect(try connection.execute("SELECT a FROM t").int64(0, 0) == 2)
    }
  }
}
