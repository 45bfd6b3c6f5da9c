import Testing

@testable import Postgres

@Suite("PostgresError")
struct PostgresErrorTests {
  @Test("the class of a SQLSTATE is its first two characters")
  func classes() {
    #expect(PostgresError(.server, "x", sqlState: .uniqueViolation).class == "23")
    #expect(PostgresError(.server, "x").class == "")
  }

  @Test("an unknown COMMIT says that it is one")
  func unknownCommit() {
    let error = PostgresError(.commitUnknown, "x", sqlState: .adminShutdown)
    #expect("\(error)".contains("outcome of COMMIT is unknown"))
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
