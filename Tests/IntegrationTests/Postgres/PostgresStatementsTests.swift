import Postgres
import TestSupport
import Testing

@Suite("PostgreSQL statements")
struct PostgresStatementsTests {
  private func prepared(_ connection: Connection) throws -> Int64 {
    try connection.execute(
      "SELECT count(*) FROM pg_prepared_statements WHERE statement NOT LIKE '%pg_prepared%'"
    )
    .int64(0, 0)
  }

  @Test("a statement is prepared once, and the least recently used one is dropped on the server too")
  func cache() throws {
    try TestDatabase.withDatabase { url in
      var options = ConnectionOptions(url: url)
      options.statementCacheSize = 5
      let connection = try Connection(options)
      for _ in 0..<3 { #expect(try connection.execute("SELECT \(1)").int64(0, 0) == 1) }
      #expect(try prepared(connection) == 1)
      for round in 0..<2 {
        for number in 0..<20 {
          let result = try connection.execute("SELECT \(round), \(unescaped: "\(number)")::bigint")
          #expect(try result.int64(0, 0) == Int64(round))
          #expect(try result.int64(0, 1) == Int64(number))
        }
      }
      // Dropped names wait for the next prepare: one more than the cache holds.
      #expect(try prepared(connection) <= 6)
    }
  }

  @Test("eviction inside a transaction works, and inside a failed one the server's reason is what is thrown")
  func evictionInTransaction() throws {
    try TestDatabase.withDatabase { url in
      var options = ConnectionOptions(url: url)
      options.statementCacheSize = 1
      let connection = try Connection(options)
      try connection.begin()
      for number in 0..<5 { _ = try connection.execute("SELECT \(unescaped: "\(number)")") }
      #expect(throws: PostgresError.self) { try connection.run(script: "SELECT 1/0") }
      let error = #expect(throws: PostgresError.self) { _ = try connection.execute("SELECT 99") }
      #expect(error?.sqlState == .inFailedTransaction)
      connection.rollback()
      #expect(try connection.execute("SELECT 100").int64(0, 0) == 100)
    }
  }

  @Test("a plan made stale by a schema change is prepared again; inside a transaction the error is retriable")
  func stalePlan() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      try connection.run(script: "CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
      #expect(try connection.execute("SELECT * FROM t").columnCount == 1)
      try connection.run(script: "ALTER TABLE t ADD b int")
      #expect(try connection.execute("SELECT * FROM t").columnCount == 2)
      try connection.run(script: "ALTER TABLE t ADD c int")
      let error = #expect(throws: PostgresError.self) {
        try connection.transaction { connection throws(PostgresError) in
          _ = try connection.execute("SELECT * FROM t")
        }
      }
      #expect(error?.remedy == .renewSession)
      #expect(try connection.execute("SELECT * FROM t").columnCount == 3)
    }
  }

  @Test("statements that another client deallocated are prepared again")
  func deallocated() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      #expect(try connection.execute("SELECT \(1)").int64(0, 0) == 1)
      try connection.run(script: "DEALLOCATE ALL")
      #expect(try connection.execute("SELECT \(2)").int64(0, 0) == 2)
      #expect(try connection.execute("SELECT \(3)::int").int64(0, 0) == 3)
    }
  }

  @Test("an error carries SQLSTATE, SQL and constraint, but no argument in its description")
  func errors() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      try connection.run(script: "CREATE TABLE t (a text CONSTRAINT t_is_unique UNIQUE)")
      let secret = "hunter2"
      _ = try connection.execute("INSERT INTO t VALUES (\(secret))")
      let error = #expect(throws: PostgresError.self) {
        _ = try connection.execute("INSERT INTO t VALUES (\(secret))")
      }
      #expect(error?.kind == .server)
      #expect(error?.sqlState == .uniqueViolation)
      #expect(error?.constraint == "t_is_unique")
      #expect(error?.sql == "INSERT INTO t VALUES ($1)")
      #expect(!String(describing: error).contains(secret))
      let syntax = #expect(throws: PostgresError.self) { _ = try connection.execute("SELEKT 1") }
      #expect(syntax?.position == 1)
      #expect(connection.isUsable && !connection.isInTransaction)
    }
  }

  @Test("affected rows are those of the command tag")
  func affectedRows() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      #expect(try connection.execute("CREATE TABLE t (a bigint)").affectedRows == 0)
      #expect(try connection.execute("INSERT INTO t SELECT generate_series(1, 7)").affectedRows == 7)
      #expect(try connection.execute("UPDATE t SET a = a WHERE a > \(5)").affectedRows == 2)
      #expect(try connection.execute("SELECT * FROM t").affectedRows == 7)
    }
  }

  @Test("a script runs all its statements or, when one fails, none")
  func scripts() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      try connection.run(script: "")
      try connection.run(
        script: "CREATE TABLE a (x int); -- remark\nINSERT INTO a VALUES (1), (2); SELECT 1;"
      )
      #expect(throws: PostgresError.self) {
        try connection.run(script: "INSERT INTO a VALUES (3); SELECT 1/0; INSERT INTO a VALUES (4)")
      }
      #expect(try connection.execute("SELECT count(*) FROM a").int64(0, 0) == 2)
    }
  }

  @Test("COPY in a script, SQL with NUL and COPY TO STDOUT are refused, and the connection lives on")
  func misuse() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      try connection.run(script: "CREATE TABLE a (x int); INSERT INTO a SELECT generate_series(1, 10000)")
      #expect(throws: PostgresError.self) { try connection.run(script: "COPY a FROM STDIN") }
      #expect(throws: PostgresError.self) { _ = try connection.execute("SELECT 1\(unescaped: "\0")") }
      #expect(throws: PostgresError.self) { try connection.run(script: "SELECT 1\0") }
      _ = try? connection.run(script: "COPY a TO STDOUT")
      #expect(try connection.execute("SELECT count(*) FROM a").int64(0, 0) == 10_000)
    }
  }

  @Test("a session has UTC, ISO dates, UTF-8, the given settings and its name")
  func settings() throws {
    try TestDatabase.withDatabase { url in
      var options = ConnectionOptions(url: url)
      options.applicationName = "a test's name"
      options.settings = [("lock_timeout", "123ms"), ("search_path", "\"a'b\", public")]
      let connection = try Connection(options)
      let expected = [
        "TimeZone": "UTC", "DateStyle": "ISO, MDY", "client_encoding": "UTF8", "lock_timeout": "123ms",
        "standard_conforming_strings": "on", "application_name": "a test's name",
        "search_path": "\"a'b\", public",
      ]
      for (name, value) in expected {
        #expect(try connection.execute("SELECT current_setting(\(name))").string(0, 0) == value)
      }
      #expect(connection.serverVersion >= 150_000)
      #expect(try connection.execute("SELECT pg_backend_pid()").int32(0, 0) == connection.backendPid)
      options.settings = [("no_such_setting", "1")]
      let error = #expect(throws: PostgresError.self) { _ = try Connection(options) }
      #expect(error?.kind == .server)
    }
  }
}
