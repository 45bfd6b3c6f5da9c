import Postgres

extension CountStore {
  /// Ends the sessions of workers that keep another session waiting for a lock.
  ///
  /// A worker that is stopped (SIGSTOP, a frozen machine) in the middle of a COPY holds its locks for as long as it
  /// is: neither `statement_timeout` nor `idle_in_transaction_session_timeout` counts there. Only sessions of the same
  /// role and database that call themselves workers are ended, and of a chain of waiting ones only those at its end,
  /// which wait for no lock themselves and whose transaction is older than this store's `lock_timeout`.
  ///
  /// - Parameter backendPid: the session that waits.
  /// - Returns: the process ids of the sessions that were ended; PostgreSQL rolls their transactions back.
  /// - Throws: `PostgresError`.
  public func endWorkers(blocking backendPid: Int32) throws(PostgresError) -> [Int32] {
    let result = try connection.execute(
      """
      WITH RECURSIVE blocker AS (
        SELECT unnest(pg_blocking_pids(\(backendPid))) AS pid
        UNION
        SELECT unnest(pg_blocking_pids(pid)) FROM blocker)
      SELECT pid, pg_terminate_backend(pid)
      FROM blocker JOIN pg_stat_activity AS session USING (pid)
      WHERE session.datname = current_database() AND session.usename = session_user
        AND (session.application_name LIKE 'topitems ingest%'
             OR session.application_name = current_setting('application_name'))
        AND session.xact_start < clock_timestamp() - current_setting('lock_timeout')::interval
        AND cardinality(pg_blocking_pids(pid)) = 0 AND pid NOT IN (\(backendPid), pg_backend_pid())
      """
    )
    var ended: [Int32] = []
    for row in 0..<result.count where try result.bool(row, 1) { ended.append(try result.int32(row, 0)) }
    return ended
  }
}
