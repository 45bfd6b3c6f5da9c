import Postgres
import TestSupport
import Testing

@Suite("PostgreSQL sessions")
struct PostgresSessionTests {
  /// A server's failure, and whether the session can be used again.
  struct Failure: CustomTestStringConvertible, Sendable {
    let state: String
    let isUsable: Bool
    var testDescription: String { state }
  }

  static let failures =
    ["25006", "57P01", "57P02", "57P03", "57P04", "57P05", "58000", "58030", "58P01", "26000", "42P05"]
    .map { Failure(state: $0, isUsable: false) }
    + ["22012", "23505", "40001", "40P01", "42P01", "53100", "55P03", "57014", "0A000", "P0001", "XX000"]
    .map { Failure(state: $0, isUsable: true) }

  private static func fail(_ connection: Connection, _ state: String) throws(PostgresError) {
    try connection.run(script: "DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '\(state)'; END $$")
  }

  @Test("a failure that belongs to the session makes it unusable, any other does not", arguments: failures)
  func injected(failure: Failure) throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      let error = #expect(throws: PostgresError.self) { try Self.fail(connection, failure.state) }
      #expect(error?.kind == .server && error?.sqlState?.rawValue == failure.state)
      #expect(connection.isUsable == failure.isUsable)
    }
  }

  @Test("a refusal that the caller can do without leaves the session usable, one before it does not")
  func allowed() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      let refused = #expect(throws: PostgresError.self) {
        try connection.allowingRefusal { () throws(PostgresError) in try Self.fail(connection, "25006") }
      }
      #expect(refused?.sqlState?.rawValue == "25006" && connection.isUsable)
      #expect(throws: PostgresError.self) { try Self.fail(connection, "58030") }
      #expect(throws: PostgresError.self) {
        try connection.allowingRefusal { () throws(PostgresError) in try Self.fail(connection, "25006") }
      }
      #expect(!connection.isUsable)
    }
  }

  @Test(
    "a pool lends a connection again only if its last failure did not belong to the session",
    arguments: failures
  )
  func pooled(failure: Failure) throws {
    try TestDatabase.withDatabase { url in
      let pool = ConnectionPool(ConnectionOptions(url: url), size: 1)
      let first = try pool.withConnection { connection throws(PostgresError) in
        #expect(throws: PostgresError.self) { try Self.fail(connection, failure.state) }
        return connection.backendPid
      }
      let second = try pool.withConnection { connection throws(PostgresError) in connection.backendPid }
      #expect((first == second) == failure.isUsable)
    }
  }

  /// What really happens to sessions.
  enum Event: String, CaseIterable {
    case readOnly, forgottenInTransaction, takenName, staleInTransaction, staleInPipeline, missingFile
  }

  @Test(
    "real failures of a session are noticed, and the transaction is rolled back",
    arguments: Event.allCases
  )
  func real(event: Event) throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      try connection.run(script: "CREATE TABLE t (a integer)")
      _ = try connection.execute("SELECT a FROM t")
      let error = #expect(throws: PostgresError.self) {
        try connection.transaction { connection throws(PostgresError) in
          switch event {
          case .readOnly:
            try connection.run(script: "SET TRANSACTION READ ONLY")
            _ = try connection.execute("INSERT INTO t VALUES (1)")
          case .forgottenInTransaction:
            try connection.run(script: "DEALLOCATE ALL")
            _ = try connection.execute("SELECT a FROM t")
          case .takenName:
            try connection.run(script: "PREPARE s2 AS SELECT 1; PREPARE s3 AS SELECT 1")
            _ = try connection.execute("SELECT a + 1 FROM t")
          case .staleInTransaction:
            try connection.run(script: "ALTER TABLE t ALTER a TYPE bigint")
            _ = try connection.execute("SELECT a FROM t")
          case .staleInPipeline:
            try connection.run(script: "ALTER TABLE t ALTER a TYPE bigint")
            _ = try connection.pipeline(["SELECT a FROM t"])
          case .missingFile:
            _ = try connection.execute("SELECT pg_read_file('/nowhere')")
          }
        }
      }
      let states: [Event: String] = [
        .readOnly: "25006", .forgottenInTransaction: "26000", .takenName: "42P05",
        .staleInTransaction: "0A000",
        .staleInPipeline: "0A000", .missingFile: "58P01",
      ]
      #expect(error?.sqlState?.rawValue == states[event], "\(String(describing: error))")
      #expect(!connection.isUsable && !connection.isInTransaction)
    }
  }

  @Test("a stale statement that is prepared again at once leaves the session usable")
  func cured() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      try connection.run(script: "CREATE TABLE t (a integer)")
      _ = try connection.execute("SELECT a FROM t")
      try connection.run(script: "ALTER TABLE t ALTER a TYPE bigint")
      _ = try connection.execute("SELECT a FROM t")
      try connection.run(script: "DEALLOCATE ALL")
      _ = try connection.execute("SELECT a FROM t")
      #expect(connection.isUsable)
    }
  }
}
