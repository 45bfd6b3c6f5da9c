import Postgres
import TestSupport
import Testing

@Suite("PostgreSQL COPY")
struct PostgresCopyTests {
  private static let copy = "COPY t (id, at, name) FROM STDIN (FORMAT binary)"

  private func withTable(_ body: (Connection) throws -> Void) throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      try connection.run(
        script: "CREATE TABLE t (id bigint PRIMARY KEY, at timestamptz, name text CHECK (name <> 'x'))"
      )
      try body(connection)
    }
  }

  private func count(_ connection: Connection) throws -> Int64 {
    try connection.execute("SELECT count(*) FROM t").int64(0, 0)
  }

  @Test("rows arrive as they were written, over many pieces")
  func success() throws {
    try withTable { connection throws in
      let rows = 50_000
      let copied = try connection.copyIn(Self.copy) { copy throws(PostgresError) in
        for number in 0..<rows {
          try copy.row(columns: 3)
          copy.append(int64: Int64(number))
          copy.append(timestamp: Int64(number) - 1000)
          if number.isMultiple(of: 3) { copy.appendNull() } else { copy.append(text: "é\(number)") }
        }
      }
      #expect(copied == rows)
      let wrong = try connection.execute(
        """
        SELECT count(*) FROM t
        WHERE at IS DISTINCT FROM timestamptz 'epoch' + (id - 1000) * interval '1 microsecond'
           OR name IS DISTINCT FROM CASE WHEN id % 3 = 0 THEN NULL ELSE 'é' || id END
        """
      )
      #expect(try wrong.int64(0, 0) == 0)
      #expect(try count(connection) == Int64(rows))
    }
  }

  @Test("values of every type, empty and large ones, go through COPY")
  func types() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      try connection.run(
        script: "CREATE TABLE v (a bigint, b int, c smallint, d bool, e timestamptz, f bytea, g text)"
      )
      let large = (0..<300_000).map { UInt8(truncatingIfNeeded: $0) }
      for bytes in [[], large] as [[UInt8]] {
        let copied = try connection.copyIn("COPY v FROM STDIN (FORMAT binary)") {
          copy throws(PostgresError) in
          try copy.row(columns: 7)
          copy.append(int64: .min)
          copy.append(int32: .min)
          copy.append(int16: .min)
          copy.append(bool: true)
          copy.append(timestamp: -1)
          copy.append(bytes: bytes)
          copy.append(text: "日本")
        }
        #expect(copied == 1)
        let row = try connection.execute("SELECT * FROM v")
        #expect(try row.int64(0, 0) == .min && row.int32(0, 1) == .min && row.int64(0, 2) == Int64(Int16.min))
        #expect(try row.bool(0, 3) && row.timestamp(0, 4) == -1)
        #expect(try row.bytes(0, 5) == bytes)
        #expect(try row.string(0, 6) == "日本")
        try connection.run(script: "TRUNCATE v")
      }
    }
  }

  @Test("no rows are no error")
  func empty() throws {
    try withTable { connection throws in
      #expect(try connection.copyIn(Self.copy) { _ throws(PostgresError) in } == 0)
    }
  }

  @Test("after a unique violation the transaction goes on from its savepoint")
  func uniqueViolation() throws {
    try withTable { connection throws in
      try connection.run(script: "INSERT INTO t VALUES (40000, now(), 'there')")
      try connection.begin()
      _ = try connection.execute("INSERT INTO t VALUES (-1, now(), 'before')")
      try connection.savepoint("copy")
      let error = #expect(throws: PostgresError.self) {
        try connection.copyIn(Self.copy) { copy throws(PostgresError) in
          for number in 0..<60_000 {
            try copy.row(columns: 3)
            copy.append(int64: Int64(number))
            copy.appendNull()
            copy.appendNull()
          }
        }
      }
      #expect(error?.sqlState == .uniqueViolation)
      #expect(error?.constraint == "t_pkey")
      #expect(error?.kind == .server)
      try connection.rollback(to: "copy")
      #expect(try count(connection) == 2)
      let copied = try connection.copyIn(Self.copy) { copy throws(PostgresError) in
        try copy.row(columns: 3)
        copy.append(int64: 7)
        copy.appendNull()
        copy.appendNull()
      }
      #expect(copied == 1)
      try connection.release("copy")
      try connection.commit()
      #expect(try count(connection) == 3)
    }
  }

  @Test("an error that the body throws ends the COPY, and the connection can be used again")
  func bodyThrows() throws {
    try withTable { connection throws in
      let mine = PostgresError(.value, "enough")
      let error = #expect(throws: PostgresError.self) {
        try connection.copyIn(Self.copy) { copy throws(PostgresError) in
          for number in 0..<10_000 {
            try copy.row(columns: 3)
            copy.append(int64: Int64(number))
            copy.appendNull()
            copy.appendNull()
          }
          throw mine
        }
      }
      #expect(error?.message == "enough")
      #expect(connection.isUsable && !connection.isInTransaction)
      #expect(try count(connection) == 0)
    }
  }

  @Test(
    "what the server refuses, at the start or in a row, is its error, and the connection can be used again"
  )
  func serverErrors() throws {
    try withTable { connection throws in
      let cases: [(String, String, (inout CopyIn) throws(PostgresError) -> Void)] = [
        ("COPY nowhere FROM STDIN (FORMAT binary)", "42P01", { _ throws(PostgresError) in }),
        ("COPY t FROM STDIN (FORMAT", "42601", { _ throws(PostgresError) in }),
        (
          Self.copy, "08P01",
          { copy throws(PostgresError) in
            try copy.row(columns: 3)
            copy.append(int32: 1)
            copy.appendNull()
            copy.appendNull()
          }
        ),
        (
          Self.copy, "22P03",
          { copy throws(PostgresError) in
            try copy.row(columns: 3)
            copy.append(text: "nine char")
            copy.appendNull()
            copy.appendNull()
          }
        ),
        (
          Self.copy, "22P04",
          { copy throws(PostgresError) in
            try copy.row(columns: 2)
            copy.append(int64: 1)
            copy.appendNull()
          }
        ),
        (
          Self.copy, "22021",
          { copy throws(PostgresError) in
            try copy.row(columns: 3)
            copy.append(int64: 1)
            copy.appendNull()
            copy.append(bytes: [0xC3])
          }
        ),
        (
          Self.copy, "23514",
          { copy throws(PostgresError) in
            try copy.row(columns: 3)
            copy.append(int64: 1)
            copy.appendNull()
            copy.append(text: "x")
          }
        ),
        (
          Self.copy, "22008",
          { copy throws(PostgresError) in
            try copy.row(columns: 3)
            copy.append(int64: 1)
            copy.append(timestamp: -400_000_000_000_000_000)
            copy.appendNull()
          }
        ),
      ]
      for (sql, state, body) in cases {
        let error = #expect(throws: PostgresError.self) { try connection.copyIn(sql, body) }
        #expect(error?.sqlState?.rawValue == state)
        #expect(error?.sql == sql)
        #expect(try count(connection) == 0)
      }
    }
  }

  @Test(
    "what is no binary COPY from here is refused, and the connection can be used again",
    arguments: [
      "COPY t FROM STDIN", "COPY t TO STDOUT (FORMAT binary)", "SELECT 1", "",
    ]
  )
  func notBinaryCopy(sql: String) throws {
    try withTable { connection throws in
      let error = #expect(throws: PostgresError.self) {
        try connection.copyIn(sql) { _ throws(PostgresError) in Issue.record("the body ran") }
      }
      #expect(error?.kind == .protocol)
      #expect(try count(connection) == 0)
    }
  }

  @Test("a connection that is lost during COPY is an error of the connection")
  func terminated() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      let other = try Connection(ConnectionOptions(url: url))
      try connection.run(script: "CREATE TABLE t (id bigint, at timestamptz, name text)")
      let pid = connection.backendPid
      let error = #expect(throws: PostgresError.self) {
        try connection.copyIn(Self.copy) { copy throws(PostgresError) in
          _ = try other.execute("SELECT pg_terminate_backend(\(pid))")
          for number in 0..<3_000_000 {
            try copy.row(columns: 3)
            copy.append(int64: Int64(number))
            copy.appendNull()
            copy.appendNull()
          }
        }
      }
      #expect(error?.kind == .connection)
      #expect(error?.remedy == .renewSession)
      #expect(!connection.isUsable)
    }
  }
}
