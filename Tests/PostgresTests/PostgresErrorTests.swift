import Testing

@testable import Postgres

@Suite("PostgresError")
struct PostgresErrorTests {
  @Test(
    "the SQLSTATE decides between retrying and blaming the data",
    arguments: [
      ("08006", true, false), ("53300", true, false), ("57P01", true, false), ("57014", true, false),
      ("40001", true, false), ("40P01", true, false), ("55P03", true, false), ("55006", true, false),
      ("55000", false, false), ("22021", false, true), ("22008", false, true), ("22023", false, false),
      ("23505", false, true), ("23502", false, true),
      ("23514", false, false), ("22P03", false, false), ("22P04", false, false), ("08P01", false, false),
      ("42P01", false, false), ("54000", false, false), ("0A000", false, false),
      ("XX000", false, false), ("25P02", false, false),
    ]
  )
  func classification(state: String, isRetriable: Bool, isDataFault: Bool) {
    let error = PostgresError(.server, "x", sqlState: SQLState(rawValue: state))
    #expect(error.isRetriable == isRetriable)
    #expect(error.isDataFault == isDataFault)
    #expect(error.class == state.prefix(2))
  }

  @Test("without a SQLSTATE the kind decides", arguments: PostgresError.Kind.allCases)
  func kinds(kind: PostgresError.Kind) {
    let error = PostgresError(kind, "x")
    #expect(error.isRetriable == [.connection, .poolExhausted].contains(kind))
    #expect(!error.isDataFault)
    #expect(error.class.isEmpty)
  }

  @Test("an unknown COMMIT is never retriable, whatever its SQLSTATE")
  func unknownCommit() {
    let error = PostgresError(.commitUnknown, "x", sqlState: .adminShutdown)
    #expect(!error.isRetriable)
    #expect("\(error)".contains("outcome of COMMIT is unknown"))
  }

  @Test("a stale plan is retriable although class 0A is not")
  func stalePlan() {
    let error = PostgresError(
      .server,
      "x",
      detail: nil,
      hint: nil,
      sqlState: SQLState(rawValue: "0A000"),
      sql: nil,
      constraint: nil,
      position: nil,
      isStalePlan: true
    )
    #expect(error.isRetriable)
  }

  @Test("the description has message, SQLSTATE, hint and SQL on one line, but not the detail with row values")
  func description() {
    let error = PostgresError(
      .server,
      "duplicate key",
      detail: "Key (id)=(secret) already exists.",
      hint: "try another",
      sqlState: .uniqueViolation,
      sql: "INSERT INTO t\n  VALUES ($1)"
    )
    #expect(
      "\(error)" == "duplicate key (SQLSTATE 23505); hint: try another; in: INSERT INTO t VALUES ($1)"
    )
    #expect(error.detail == "Key (id)=(secret) already exists.")
  }

  @Test("long SQL is cut in the description only")
  func longSQL() {
    let sql = "SELECT " + String(repeating: "x", count: 10_000)
    let error = PostgresError(.server, "x", sql: sql)
    #expect("\(error)".count < 600)
    #expect(error.sql == sql)
  }

  @Test("an error is one word wide, so that typed throws cost nothing")
  func size() {
    #expect(MemoryLayout<PostgresError>.size == MemoryLayout<Int>.size)
  }

  @Test("a failed migration names its file and the line of the fault")
  func migrationLine() {
    let migration = Migration(version: 3, name: "0003_x.sql", sql: "SELECT 1;\nSELECT 2;\nSELEKT 3;")
    let error = MigrationError.failed(migration, PostgresError(.server, "syntax error", position: 21))
    #expect("\(error)".hasPrefix("migration 0003_x.sql line 3 failed"))
  }
}
