/// Whether the database that was reached can answer queries.
public enum Readiness: Sendable, Equatable {
  /// It can.
  case ready
  /// Names of the migrations in this binary that the database does not have yet.
  case migrationsPending([String])
}
