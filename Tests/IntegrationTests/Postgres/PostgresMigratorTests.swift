import Postgres
import TestSupport
import Testing

@Suite("PostgreSQL migrations")
struct PostgresMigratorTests {
  private static let first = Migration(version: 1, name: "0001_a.sql", sql: "CREATE TABLE a (x int);")
  private static let second = Migration(
    version: 2,
    name: "0002_b.sql",
    sql: "CREATE TABLE b (x int); -- é\nINSERT INTO b VALUES (1);"
  )
  private static let third = Migration(version: 3, name: "0003_c.sql", sql: "CREATE TABLE c (x int);")

  private func withConnection(_ body: (Connection, _ url: String) throws -> Void) throws {
    try TestDatabase.withDatabase { url in try body(Connection(ConnectionOptions(url: url)), url) }
  }

  @Test("migrations are applied in order, once")
  func idempotent() throws {
    try withConnection { connection, _ throws in
      let migrator = Migrator([Self.second, Self.first])
      #expect(try migrator.pending(connection) == [Self.first, Self.second])
      #expect(try migrator.migrate(connection) == [Self.first, Self.second])
      #expect(try migrator.migrate(connection).isEmpty)
      #expect(try migrator.pending(connection).isEmpty)
      #expect(try Migrator([Self.first, Self.second, Self.third]).pending(connection) == [Self.third])
      #expect(try Migrator([Self.first, Self.second, Self.third]).migrate(connection) == [Self.third])
      // An older program on the newer schema.
      #expect(try migrator.pending(connection).isEmpty)
      #expect(try migrator.migrate(connection).isEmpty)
      let rows = try connection.execute(
        "SELECT version, name, sha256 = sha256(\(Array(Self.second.sql.utf8))) FROM schema_migration WHERE version = 2"
      )
      #expect(try rows.string(0, 1) == "0002_b.sql")
      #expect(try rows.bool(0, 2))
    }
  }

  @Test("many at once apply each migration once between them")
  func concurrent() throws {
    try withConnection { connection, url throws in
      let work = (0..<6).map { _ in
        Background {
          try Migrator([Self.first, Self.second, Self.third]).migrate(Connection(ConnectionOptions(url: url)))
        }
      }
      let applied = try work.flatMap { try $0.value() }
      #expect(applied.map(\.version).sorted() == [1, 2, 3])
      #expect(try connection.execute("SELECT count(*) FROM b").int64(0, 0) == 1)
    }
  }

  @Test("a changed file is refused by name, before anything else is applied")
  func changed() throws {
    try withConnection { connection, _ throws in
      _ = try Migrator([Self.first]).migrate(connection)
      let edited = Migration(version: 1, name: "0001_a.sql", sql: Self.first.sql + " ")
      let error = #expect(throws: MigrationError.self) {
        _ = try Migrator([edited, Self.second]).migrate(connection)
      }
      guard case .changed(edited) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect("\(String(describing: error))".contains("0001_a.sql"))
      #expect(try Migrator([Self.second]).pending(connection) == [Self.second])
    }
  }

  @Test("a failing migration is rolled back whole; those before it stay, and the lock is free again")
  func failure() throws {
    try withConnection { connection, url throws in
      let bad = Migration(version: 3, name: "0003_bad.sql", sql: "CREATE TABLE c (x int);\nSELECT nonsense;")
      let error = #expect(throws: MigrationError.self) {
        _ = try Migrator([Self.first, Self.second, bad]).migrate(connection)
      }
      #expect(error.map { "\($0)" }?.hasPrefix("migration 0003_bad.sql line 2 failed") == true)
      #expect(try connection.execute("SELECT to_regclass('c') IS NULL, to_regclass('b') IS NULL").bool(0, 0))
      let other = try Connection(ConnectionOptions(url: url))
      #expect(try Migrator([Self.first, Self.second, Self.third]).migrate(other) == [Self.third])
    }
  }

  @Test("a migration that was never applied before a later one is refused")
  func outOfOrder() throws {
    try withConnection { connection, _ throws in
      _ = try Migrator([Self.first, Self.third]).migrate(connection)
      let error = #expect(throws: MigrationError.self) {
        _ = try Migrator([Self.first, Self.second, Self.third]).migrate(connection)
      }
      guard case .outOfOrder(Self.second, after: 3) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
  }

  @Test("versions must be unique and positive", arguments: [[1, 1], [0], [-1, 2], [Int(Int32.max) + 1]])
  func versions(versions: [Int]) throws {
    try withConnection { connection, _ throws in
      let migrations = versions.map { Migration(version: $0, name: "\($0).sql", sql: "SELECT 1") }
      #expect(throws: MigrationError.self) { _ = try Migrator(migrations).migrate(connection) }
    }
  }

  @Test(
    "a migration that ends its own transaction is refused",
    arguments: [
      "SELECT 1; COMMIT;", "COMMIT; BEGIN;", "ROLLBACK", "COMMIT; CREATE TABLE z (x int); BEGIN; SELECT 1",
    ]
  )
  func endsTransaction(sql: String) throws {
    try withConnection { connection, _ throws in
      let migration = Migration(version: 1, name: "0001_commit.sql", sql: sql)
      let error = #expect(throws: MigrationError.self) { _ = try Migrator([migration]).migrate(connection) }
      guard case .endsTransaction(migration) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(!connection.isInTransaction)
      #expect(try Migrator([migration]).pending(connection) == [migration])
    }
  }
}
