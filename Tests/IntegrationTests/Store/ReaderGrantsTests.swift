import Postgres
import TestSupport
import Testing

@testable import CountStore

@Suite("a role that reads, across an upgrade")
struct ReaderGrantsTests {
  /// What answers, the status and the probes ask for.
  private static let asked = ["worker", "forgotten_topic", "fate_total"]

  @Test("a role that could read everything before the upgrade can read what answers ask for after it")
  func upgrade() throws {
    try TestDatabase.withDatabase { url in
      let connection = try CountStoreFixture.connect(url)
      let name = try connection.execute("SELECT 'reader_' || current_database()").string(0, 0)
      let (role, other): (Query, Query) = ("\(identifier: name)", "\(identifier: name + "_other")")
      _ = try Migrator(CountStore.migrations.filter { $0.version <= 5 }).migrate(connection)
      try connection.run(
        script: """
          CREATE ROLE \(role.sql) NOLOGIN;
          CREATE ROLE \(other.sql) NOLOGIN;
          GRANT SELECT ON ALL TABLES IN SCHEMA public TO \(role.sql)
          """
      )
      defer {
        try? connection.run(
          script: "DROP OWNED BY \(role.sql), \(other.sql); DROP ROLE \(role.sql), \(other.sql)"
        )
      }
      _ = try CountStore(connection).migrate()
      for table in Self.asked {
        let may = try connection.execute(
          "SELECT has_table_privilege(\(name), \(table), 'SELECT'), has_table_privilege(\(name + "_other"), \(table), 'SELECT')"
        )
        #expect(try may.bool(0, 0), "\(table)")
        #expect(try !may.bool(0, 1), "\(table)")
      }
    }
  }
}
