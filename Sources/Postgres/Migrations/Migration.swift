/// One forward step of the schema: a file that never changes once it has landed.
public struct Migration: Sendable, Equatable {
  /// Its place in the order, from the file's name: 1 for `0001_events.sql`.
  public let version: Int
  /// The file's name, which errors mention.
  public let name: String
  /// The file's content: statements without BEGIN and COMMIT.
  public let sql: String

  /// A migration; versions must be unique and positive.
  public init(version: Int, name: String, sql: String) {
    self.version = version
    self.name = name
    self.sql = sql
  }
}

/// Why the schema could not be brought up to date. Migrations that came before are kept.
public enum MigrationError: Error, Sendable {
  /// Two migrations share a version, or one is not positive or beyond 32 bits.
  case invalidVersion(Migration)
  /// The file's content is not what was applied.
  case changed(Migration)
  /// It was never applied, but a later one was.
  case outOfOrder(Migration, after: Int)
  /// Its SQL failed, and was rolled back.
  case failed(Migration, PostgresError)
  /// Its SQL ends the transaction that it runs in.
  case endsTransaction(Migration)
  /// The bookkeeping around the migrations failed.
  case postgres(PostgresError)
}

extension MigrationError: CustomStringConvertible {
  /// One line that names the file.
  public var description: String {
    switch self {
    case .invalidVersion(let migration):
      return
        "migration \(migration.name): version \(migration.version) is not unique, or not a positive number"
    case .changed(let migration):
      return
        "migration \(migration.name) was changed after it had been applied; undo that, and make a new one"
    case .outOfOrder(let migration, let after):
      return "migration \(migration.name) was never applied, but version \(after) was; give it a later number"
    case .failed(let migration, let error):
      let line = error.position.map { " line \(Self.line(of: $0, in: migration.sql))" } ?? ""
      let state = error.sqlState.map { " (SQLSTATE \($0))" } ?? ""
      return "migration \(migration.name)\(line) failed and was rolled back: \(error.message)\(state)"
    case .endsTransaction(let migration):
      return "migration \(migration.name) must not contain COMMIT, ROLLBACK or BEGIN"
    case .postgres(let error):
      return "migrations: \(error)"
    }
  }

  private static func line(of position: Int, in sql: String) -> Int {
    sql.unicodeScalars.prefix(max(0, position - 1)).count { $0 == "\n" } + 1
  }
}
