import Postgres

extension CountStore {
  /// Brings the database to what this binary needs.
  /// - Returns: the migrations that were missing, in their order.
  /// - Throws: `MigrationError`.
  public func migrate() throws(MigrationError) -> [Migration] {
    try Migrator(Self.migrations).migrate(connection)
  }

  /// Whether the database has every migration of this binary. A database that is ahead of the binary is fine.
  /// - Throws: `PostgresError`.
  public func readiness() throws(PostgresError) -> Readiness {
    let pending = try Migrator(Self.migrations).pending(connection)
    return pending.isEmpty ? .ready : .migrationsPending(pending.map(\.name))
  }
}
