import Postgres

extension CountStore {
  /// Whether the database has every migration of this binary. A database that is ahead of the binary is fine.
  /// - Throws: `PostgresError`.
  public func readiness() throws(PostgresError) -> Readiness {
    let pending = try Migrator(Self.migrations).pending(connection)
    return pending.isEmpty ? .ready : .migrationsPending(pending.map(\.name))
  }
}
