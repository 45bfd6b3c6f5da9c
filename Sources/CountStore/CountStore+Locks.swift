import Postgres

extension CountStore {
  /// How long a wait for the exclusive lock may hold up the batches that queue behind it, in milliseconds: longer
  /// than a large batch takes, and short beside a batch that is stopped (SIGSTOP, a dead network).
  static let exclusiveLockTimeout = 1000

  /// Takes the locks under which a batch may rely on the deduplication floor and on the rollup marks: shared, so
  /// that batches do not wait for each other, and held until the transaction ends. Read what they guard in a later
  /// statement: a statement sees what was committed when it began, not when it got its locks.
  static var boundsLock: Query {
    "SELECT pg_advisory_xact_lock_shared(\(Lock.floor)), pg_advisory_xact_lock_shared(\(Lock.rollup))"
  }

  /// Runs a short transaction while no batch runs.
  ///
  /// Advisory locks and not row locks: `FOR UPDATE` starves behind a stream of `FOR SHARE`, while a session that
  /// waits for an exclusive advisory lock is served before the batches that come after it.
  /// - Parameter locks: in the order of `Lock`.
  /// - Throws: `PostgresError`; SQLSTATE 55P03 when the batches in flight do not end in time.
  func exclusively<T: ~Copyable>(
    _ locks: Int64...,
    body: (Connection) throws(PostgresError) -> T
  ) throws(PostgresError) -> T {
    try connection.transaction { connection throws(PostgresError) in
      try connection.run(script: "SET LOCAL lock_timeout = \(Self.exclusiveLockTimeout)")
      for lock in locks { _ = try connection.execute("SELECT pg_advisory_xact_lock(\(lock))") }
      return try body(connection)
    }
  }

  /// Makes this session the one that folds, drops and purges, until `unlockMaintenance` or its end.
  /// - Returns: false when another session is.
  /// - Throws: `PostgresError`.
  public func lockMaintenance() throws(PostgresError) -> Bool {
    try connection.execute("SELECT pg_try_advisory_lock(\(Lock.maintenance))").bool(0, 0)
  }

  /// Lets another session be the one.
  /// - Throws: `PostgresError`.
  public func unlockMaintenance() throws(PostgresError) {
    _ = try connection.execute("SELECT pg_advisory_unlock(\(Lock.maintenance))")
  }
}
