/// Brings a database's schema up to date.
///
/// What has been applied stands in `schema_migration (version, name, sha256, applied_at)`, the checksums
/// computed by PostgreSQL. Each migration commits by itself together with its row. Two migrators at once are
/// safe: an advisory lock lets one wait for the other. A database that knows later migrations than this program
/// is fine: an old program on a new schema works.
public struct Migrator: Sendable {
  /// "topitems" in ASCII, as a number: a lock no one else takes by accident.
  private static var lock: Int64 { 0x746F_7069_7465_6D73 }

  /// In the order of their versions.
  public let migrations: [Migration]

  /// A migrator for these migrations, in any order.
  public init(_ migrations: [Migration]) {
    self.migrations = migrations.sorted { $0.version < $1.version }
  }

  /// Applies what is missing; the migrations that it applied.
  public func migrate(_ connection: Connection) throws(MigrationError) -> [Migration] {
    try checkVersions()
    _ = try bookkeeping { () throws(PostgresError) in
      try connection.execute("SELECT pg_advisory_lock(\(Self.lock))")
    }
    defer { _ = try? connection.execute("SELECT pg_advisory_unlock(\(Self.lock))") }
    try bookkeeping { () throws(PostgresError) in try createTable(connection) }
    let pending = try verify(connection)
    for migration in pending { try apply(migration, connection) }
    return pending
  }

  /// What ``migrate(_:)`` would apply. Reads only; checksums are not looked at.
  public func pending(_ connection: Connection) throws(PostgresError) -> [Migration] {
    guard try tableExists(connection) else { return migrations }
    let landed = try connection.execute("SELECT version FROM schema_migration")
    var versions: Set<Int64> = []
    for row in 0..<landed.count { versions.insert(try landed.int64(row, 0)) }
    return migrations.filter { !versions.contains(Int64($0.version)) }
  }

  private func checkVersions() throws(MigrationError) {
    var last = 0
    for migration in migrations {
      guard migration.version > last, migration.version <= Int(Int32.max) else {
        throw .invalidVersion(migration)
      }
      last = migration.version
    }
  }

  private func tableExists(_ connection: Connection) throws(PostgresError) -> Bool {
    try connection.execute("SELECT to_regclass('schema_migration') IS NOT NULL").bool(0, 0)
  }

  private func createTable(_ connection: Connection) throws(PostgresError) {
    // Asked first, so that a role without the right to create tables can still find that nothing is to do.
    if try tableExists(connection) { return }
    try connection.run(
      script: """
        CREATE TABLE schema_migration (
          version integer PRIMARY KEY,
          name text NOT NULL,
          sha256 bytea NOT NULL,
          applied_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
  }

  /// Compares the landed migrations with ours; those that are missing.
  private func verify(_ connection: Connection) throws(MigrationError) -> [Migration] {
    let states = try bookkeeping { () throws(PostgresError) in
      try connection.execute(
        """
        SELECT landed.version IS NOT NULL,
               coalesce(landed.sha256 = sha256(ours.sql), false),
               coalesce((SELECT max(version) FROM schema_migration), 0)
        FROM unnest(\(migrations.map { Int32($0.version) }), \(migrations.map { Array($0.sql.utf8) }))
             AS ours (version, sql)
        LEFT JOIN schema_migration AS landed USING (version)
        ORDER BY ours.version
        """
      )
    }
    var pending: [Migration] = []
    for (row, migration) in migrations.enumerated() {
      let (isLanded, isSame, newest) = try bookkeeping { () throws(PostgresError) in
        (try states.bool(row, 0), try states.bool(row, 1), try states.int64(row, 2))
      }
      if isLanded, !isSame { throw .changed(migration) }
      if isLanded { continue }
      guard migration.version > newest else { throw .outOfOrder(migration, after: Int(newest)) }
      pending.append(migration)
    }
    return pending
  }

  private func apply(_ migration: Migration, _ connection: Connection) throws(MigrationError) {
    let isWhole: Bool
    do {
      isWhole = try land(migration, connection)
    } catch {
      connection.rollback()
      throw error.kind == .commitUnknown ? .postgres(error) : .failed(migration, error)
    }
    guard isWhole else { throw .endsTransaction(migration) }
  }

  /// Runs a migration and notes it in one transaction; false, with nothing noted, if its SQL ended that
  /// transaction: the part before its COMMIT stays, when what follows fails.
  private func land(_ migration: Migration, _ connection: Connection) throws(PostgresError) -> Bool {
    try connection.begin()
    let transaction = try Self.transactionID(connection)
    try connection.run(script: migration.sql)
    guard connection.isInTransaction, try Self.transactionID(connection) == transaction else {
      connection.rollback()
      return false
    }
    _ = try connection.execute(
      """
      INSERT INTO schema_migration (version, name, sha256)
      VALUES (\(Int32(migration.version)), \(migration.name), sha256(\(Array(migration.sql.utf8))))
      """
    )
    try connection.commit()
    return true
  }

  private static func transactionID(_ connection: Connection) throws(PostgresError) -> String {
    try connection.execute("SELECT pg_current_xact_id()::text").string(0, 0)
  }

  private func bookkeeping<T: ~Copyable>(
    _ body: () throws(PostgresError) -> T
  ) throws(MigrationError) -> T {
    do {
      return try body()
    } catch {
      throw .postgres(error)
    }
  }
}
