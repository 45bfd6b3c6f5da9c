import CountStore
import Dispatch
import Postgres
import TopItemsAPI

extension Backend {
  /// Questions answered by PostgreSQL.
  ///
  /// - Parameters:
  ///   - streams: connections without a `statement_timeout`, for rows that are read at a client's pace.
  ///   - zones: for what is asked while a connection of another pool is held, which must not wait for one of its own; and
  ///     for readiness, which must not wait for questions.
  init(pool: ConnectionPool, streams: ConnectionPool, zones: ConnectionPool) {
    let probes = DispatchQueue(label: "readiness")
    @Sendable func paced(_ pace: Pace) -> ConnectionPool { pace == .client ? streams : pool }
    self.init(
      topItems: { query throws(CountStoreError) in
        try Self.answer(pool) { store throws(CountStoreError) in try store.topItems(query) }
      },
      eachTopItem: { query, pace, begin, row throws in
        try Self.hand(paced(pace)) { store throws in try store.topItems(query, begin: begin, row: row) }
      },
      series: { query throws(CountStoreError) in
        try Self.answer(pool) { store throws(CountStoreError) in try store.series(query) }
      },
      eachLocation: { maximumRows, pace, begin, row throws in
        try Self.hand(paced(pace)) { store throws in
          try store.eachLocation(maximumRows: maximumRows, begin: begin, row: row)
        }
      },
      eachItem: { prefix, maximumRows, pace, begin, row throws in
        try Self.hand(paced(pace)) { store throws in
          try store.eachItem(prefix: prefix, maximumRows: maximumRows, begin: begin, row: row)
        }
      },
      offsets: { zone, times throws(CountStoreError) in
        try Self.answer(zones) { store throws(CountStoreError) in try store.offsets(of: zone, at: times) }
      },
      readiness: { tell in
        probes.async { tell(Self.readiness(zones)) }
      },
      status: { () throws(CountStoreError) in
        try Self.answer(pool) { store throws(CountStoreError) in try store.status() }
      }
    )
  }

  /// Rows of the views, one after another.
  static func rows(_ pool: ConnectionPool) -> ODataService.Read {
    { query, body throws(CountStoreError) in
      try answer(pool) { store throws(CountStoreError) in try store.read(query, body) }
    }
  }

  private static func readiness(_ pool: ConnectionPool) -> Result<Readiness, CountStoreError> {
    Result { () throws(CountStoreError) in
      try answer(pool) { store throws(CountStoreError) in
        do throws(PostgresError) {
          return try store.readiness()
        } catch {
          throw .postgres(error)
        }
      }
    }
  }

  private static func answer<Value: Sendable>(
    _ pool: ConnectionPool,
    _ body: (CountStore) throws(CountStoreError) -> Value
  ) throws(CountStoreError) -> Value {
    let result: Result<Value, CountStoreError>
    do throws(PostgresError) {
      result = try pool.withConnection { connection throws(PostgresError) in
        do throws(CountStoreError) {
          return .success(try body(CountStore(connection)))
        } catch {
          return .failure(error)
        }
      }
    } catch {
      throw .postgres(error)
    }
    return try result.get()
  }

  /// As above, for bodies that throw more than the store does.
  private static func hand(_ pool: ConnectionPool, _ body: (CountStore) throws -> Void) throws {
    let result: Result<Void, any Error>
    do throws(PostgresError) {
      result = try pool.withConnection { connection throws(PostgresError) in
        Result { try body(CountStore(connection)) }
      }
    } catch {
      throw CountStoreError.postgres(error)
    }
    try result.get()
  }
}
