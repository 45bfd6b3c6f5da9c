import Foundation
import Glibc
import Postgres
import TestSupport
import Testing

@Suite("PostgreSQL rows, one at a time")
struct PostgresRowsTests {
  private static let rows: Int64 = 1_000_000

  @Test("come complete and in order, of one snapshot, in memory that does not grow with their number")
  func complete() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      // What other tests of this process take meanwhile is in the figure too: the least of three is ours.
      var growth = Int.max
      for _ in 0..<3 where growth >= 30 << 20 { growth = min(growth, try growthForAllRows(of: connection)) }
      #expect(growth < 30 << 20)
      #expect(try connection.execute("SELECT 7").int64(0, 0) == 7)
    }
  }

  /// By how much this process grows while it reads them.
  private func growthForAllRows(of connection: Connection) throws -> Int {
    let before = try residentBytes()
    var rows = try connection.rows(
      of: "SELECT i, repeat('x', 100), NULL::bigint FROM generate_series(1, \(Self.rows)) AS i"
    )
    var count: Int64 = 0
    while let row = try rows.next() {
      count += 1
      guard row.count == 1, try row.int64(0, 0) == count, try row.string(0, 1).utf8.count == 100,
        row.isNull(0, 2)
      else {
        Issue.record("row \(count) differs")
        break
      }
    }
    #expect(count == Self.rows)
    #expect(try rows.next() == nil)
    return try residentBytes() - before
  }

  @Test("may be none, and a statement without rows has none")
  func none() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      try connection.run(script: "CREATE TABLE t (a int)")
      for query: Query in ["SELECT a FROM t", "INSERT INTO t VALUES (1)", "TRUNCATE t"] {
        for _ in 0..<2 {
          var rows = try connection.rows(of: query)
          #expect(try rows.next() == nil)
        }
      }
      #expect(connection.isUsable && !connection.isInTransaction)
    }
  }

  @Test("what is wrong with the statement is thrown before the first row, and the connection lives on")
  func wrong() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      for (query, state) in [
        ("SELECT nothing", "42703"), ("SELECT 1/0 FROM generate_series(1, 10)", "22012"),
      ] as [(Query, String)] {
        let error = #expect(throws: PostgresError.self) { _ = try connection.rows(of: query) }
        #expect(error?.sqlState?.rawValue == state && error?.kind == .server)
        #expect(try connection.execute("SELECT 1").int64(0, 0) == 1)
      }
    }
  }

  @Test("an error in the middle is thrown in its place, never taken for the end, and the connection lives on")
  func failsMidway() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      for _ in 0..<2 {
        var rows = try connection.rows(of: "SELECT 1/(50000 - i) FROM generate_series(1, 60000) AS i")
        var count = 0
        let error = #expect(throws: PostgresError.self) { while try rows.next() != nil { count += 1 } }
        #expect(count > 0 && count < 50_000)
        #expect(error?.kind == .server && error?.sqlState?.rawValue == "22012")
        #expect(try rows.next() == nil)
      }
      #expect(try connection.execute("SELECT 1").int64(0, 0) == 1)
    }
  }

  @Test("a backend that is ended in the middle is an error of the connection")
  func terminatedMidway() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      let other = try Connection(ConnectionOptions(url: url))
      let pid = connection.backendPid
      // More than fits in all buffers between.
      var rows = try connection.rows(of: "SELECT repeat('x', 1000) FROM generate_series(1, 1000000)")
      var count = 0
      let error = #expect(throws: PostgresError.self) {
        while try rows.next() != nil {
          count += 1
          if count == 10 { _ = try other.execute("SELECT pg_terminate_backend(\(pid), 5000)") }
        }
      }
      #expect(error?.kind == .connection && count < 1_000_000)
      #expect(!connection.isUsable)
    }
  }

  @Test("a time limit counts for each piece of the response, not for what the reader takes")
  func answerTimeout() throws {
    try TestDatabase.withDatabase { url in
      var options = ConnectionOptions(url: url)
      options.answerTimeout = 1
      let connection = try Connection(options)
      var rows = try connection.rows(
        of: "SELECT i, CASE WHEN i > 500000 THEN pg_sleep(30)::text END FROM generate_series(1, 500001) AS i"
      )
      _ = try rows.next()
      usleep(1_200_000)
      let error = #expect(throws: PostgresError.self) { while try rows.next() != nil {} }
      #expect(error?.kind == .connection && error?.message.contains("did not answer") == true)
      #expect(!connection.isUsable)
    }
  }

  @Test(
    "given up before their end, they end the statement and the connection, and a pool goes on with a new one"
  )
  func abandoned() throws {
    try TestDatabase.withDatabase { url in
      let pool = ConnectionPool(ConnectionOptions(url: url), size: 1)
      let pid = try pool.withConnection { connection throws(PostgresError) in
        var rows = try connection.rows(
          of:
            "SELECT i, CASE WHEN i > 100000 THEN pg_sleep(60)::text END FROM generate_series(1, 100010) AS i"
        )
        _ = try rows.next()
        return connection.backendPid
      }
      try pool.withConnection { connection throws(PostgresError) in
        #expect(connection.backendPid != pid)
        #expect(try connection.execute("SELECT 1").int64(0, 0) == 1)
      }
      try waitUntil("the statement has ended") {
        try pool.withConnection { connection throws(PostgresError) in
          try connection.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = \(pid)").int64(0, 0) == 0
        }
      }
    }
  }

  @Test("until they are read, the connection takes no other statement")
  func busy() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      var rows = try connection.rows(of: "SELECT i FROM generate_series(1, 3) AS i")
      _ = try rows.next()
      let error = #expect(throws: PostgresError.self) { _ = try connection.execute("SELECT 1") }
      #expect(error?.kind == .protocol)
      var rest: [Int64] = []
      while let row = try rows.next() { rest.append(try row.int64(0, 0)) }
      #expect(rest == [2, 3])
    }
  }

  @Test("a plan that a schema change made stale is made again")
  func stalePlan() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      try connection.run(script: "CREATE TABLE t AS SELECT 1 AS a")
      for columns in 1...2 {
        var rows = try connection.rows(of: "SELECT * FROM t")
        var found = 0
        while let row = try rows.next() { found = row.columnCount }
        #expect(found == columns)
        try connection.run(script: "ALTER TABLE t ADD COLUMN column_\(columns) int")
      }
    }
  }

  private func residentBytes() throws -> Int {
    let statm = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
    return (Int(statm.split(separator: " ")[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE))
  }
}
