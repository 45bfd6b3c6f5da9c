import Postgres
import TestSupport
import Testing

@Suite("PostgreSQL transactions")
struct PostgresTransactionTests {
  private func withTable(_ body: (Connection, _ url: String) throws -> Void) throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      try connection.run(
        script: "CREATE TABLE t (a bigint CONSTRAINT u UNIQUE DEFERRABLE INITIALLY DEFERRED)"
      )
      try body(connection, url)
    }
  }

  private func count(_ connection: Connection) throws -> Int64 {
    try connection.execute("SELECT count(*) FROM t").int64(0, 0)
  }

  @Test("a transaction commits what its body did and returns the body's value")
  func commit() throws {
    try withTable { connection, _ throws in
      let value = try connection.transaction { connection throws(PostgresError) in
        #expect(connection.isInTransaction)
        return try connection.execute("INSERT INTO t VALUES (1) RETURNING a").int64(0, 0)
      }
      #expect(value == 1)
      #expect(!connection.isInTransaction)
      #expect(try count(connection) == 1)
    }
  }

  @Test("an error of the body or of the server rolls back and is passed on")
  func rollback() throws {
    try withTable { connection, _ throws in
      let mine = #expect(throws: PostgresError.self) {
        try connection.transaction { connection throws(PostgresError) in
          _ = try connection.execute("INSERT INTO t VALUES (1)")
          throw PostgresError(.value, "mine")
        }
      }
      #expect(mine?.message == "mine")
      let servers = #expect(throws: PostgresError.self) {
        try connection.transaction { connection throws(PostgresError) in
          _ = try connection.execute("INSERT INTO t VALUES (1)")
          _ = try connection.execute("SELECT 1/0")
        }
      }
      #expect(servers?.sqlState?.rawValue == "22012")
      #expect(connection.isUsable && !connection.isInTransaction)
      #expect(try count(connection) == 0)
    }
  }

  @Test("an error that the body swallowed still fails the COMMIT")
  func swallowed() throws {
    try withTable { connection, _ throws in
      let error = #expect(throws: PostgresError.self) {
        try connection.transaction { connection throws(PostgresError) in
          _ = try connection.execute("INSERT INTO t VALUES (1)")
          _ = try? connection.execute("SELECT 1/0")
        }
      }
      #expect(error?.sqlState == .inFailedTransaction)
      #expect(error?.remedy == .halt)
      #expect(!connection.isInTransaction)
      #expect(try count(connection) == 0)
    }
  }

  @Test("a constraint that fails at COMMIT is a failed COMMIT, not an unknown one")
  func deferredConstraint() throws {
    try withTable { connection, _ throws in
      let error = #expect(throws: PostgresError.self) {
        try connection.transaction { connection throws(PostgresError) in
          _ = try connection.execute("INSERT INTO t VALUES (1), (1)")
        }
      }
      #expect(error?.kind == .server)
      #expect(error?.sqlState == .uniqueViolation)
      #expect(error?.sql == "COMMIT")
      #expect(connection.isUsable && !connection.isInTransaction)
    }
  }

  @Test("transactions do not nest, and nothing can be committed outside of one")
  func order() throws {
    try withTable { connection, _ throws in
      let nested = #expect(throws: PostgresError.self) {
        try connection.transaction { connection throws(PostgresError) in
          try connection.transaction { connection throws(PostgresError) in }
        }
      }
      #expect(nested?.sqlState == .activeTransaction)
      let outside = #expect(throws: PostgresError.self) { try connection.commit() }
      #expect(outside?.sqlState == .noActiveTransaction)
      connection.rollback()
      #expect(connection.isUsable && !connection.isInTransaction)
    }
  }

  @Test("repeatable read sees one snapshot, read only refuses writes")
  func isolation() throws {
    try withTable { connection, url throws in
      let other = try Connection(ConnectionOptions(url: url))
      let error = #expect(throws: PostgresError.self) {
        try connection.transaction(isolation: .repeatableRead, readOnly: true) {
          connection throws(PostgresError) in
          let before = try connection.execute("SELECT count(*) FROM t").int64(0, 0)
          _ = try other.execute("INSERT INTO t VALUES (5)")
          let after = try connection.execute("SELECT count(*) FROM t").int64(0, 0)
          #expect(before == after)
          _ = try connection.execute("INSERT INTO t VALUES (6)")
        }
      }
      #expect(error?.sqlState?.rawValue == "25006")
      #expect(try count(connection) == 1)
    }
  }

  @Test("the careful path: a failure after a savepoint costs only what came after it")
  func savepoints() throws {
    try withTable { connection, _ throws in
      try connection.run(script: "CREATE UNIQUE INDEX i ON t (a)")
      try connection.transaction { connection throws(PostgresError) in
        _ = try connection.execute("INSERT INTO t VALUES (1)")
        try connection.savepoint("odd \"name\"")
        _ = try? connection.execute("INSERT INTO t VALUES (1)")
        try connection.rollback(to: "odd \"name\"")
        _ = try connection.execute("INSERT INTO t VALUES (2)")
        try connection.release("odd \"name\"")
      }
      #expect(try count(connection) == 2)
    }
  }
}
