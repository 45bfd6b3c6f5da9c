import CountStore
import Dispatch
import OData
import Postgres
import TopItemsAPI

extension Backend {
  /// Queries answered by PostgreSQL.
  ///
  /// - Parameters:
  ///   - streams: connections without a `statement_timeout`, for rows that are read at a client's pace.
  ///   - zones: for what is asked while a connection of another pool is held, which must not wait for one of its own;
  ///     and for readiness while queries hold all connections.
  ///   - outcomes: receives how each query ended.
  init(
    pool: ConnectionPool,
    streams: ConnectionPool,
    zones: ConnectionPool,
    outcomes: QueryOutcomes = QueryOutcomes()
  ) {
    let probes = DispatchQueue(label: "readiness")
    @Sendable func paced(_ pace: Pace) -> ConnectionPool { pace == .client ? streams : pool }
    self.init(
      topItems: { query throws(CountStoreError) in
        try Self.answer(pool, outcomes) { store throws(CountStoreError) in try store.topItems(query) }
      },
      eachTopItem: { query, pace, begin, row throws in
        try Self.hand(paced(pace), outcomes) { store throws in
          try store.topItems(query, begin: begin, row: row)
        }
      },
      series: { query throws(CountStoreError) in
        try Self.answer(pool, outcomes) { store throws(CountStoreError) in try store.series(query) }
      },
      eachLocation: { maximumRows, pace, begin, row throws in
        try Self.hand(paced(pace), outcomes) { store throws in
          try store.eachLocation(maximumRows: maximumRows, begin: begin, row: row)
        }
      },
      eachItem: { prefix, maximumRows, pace, begin, row throws in
        try Self.hand(paced(pace), outcomes) { store throws in
          try store.eachItem(prefix: prefix, maximumRows: maximumRows, begin: begin, row: row)
        }
      },
      offsets: { zone, times throws(CountStoreError) in
        try Self.answer(zones) { store throws(CountStoreError) in try store.offsets(of: zone, at: times) }
      },
      readiness: { receive in
        probes.async { receive(Self.readiness(pool, zones, outcomes)) }
      },
      status: { () throws(CountStoreError) in
        try Self.answer(pool, outcomes) { store throws(CountStoreError) in try store.status() }
      }
    )
  }

  /// Rows of the views, one after another.
  static func rows(_ pool: ConnectionPool, _ outcomes: QueryOutcomes = QueryOutcomes())
    -> ODataService.Read
  {
    { query, body throws(CountStoreError) in
      try answer(pool, outcomes) { store throws(CountStoreError) in try store.read(query, body) }
    }
  }

  /// Looks by the connection that the next query would get, so that what keeps queries from being answered (a role
  /// that is out of connections) keeps the server from being ready. Where all of them are busy, they are there.
  private static func readiness(
    _ pool: ConnectionPool,
    _ zones: ConnectionPool,
    _ outcomes: QueryOutcomes
  ) -> Result<Readiness, CountStoreError> {
    Result { () throws(CountStoreError) in
      if let failure = outcomes.verdict { throw failure }
      do throws(PostgresError) {
        return try readiness(pool, timeout: .zero)
      } catch {
        guard error.kind == .poolExhausted else { throw .postgres(error) }
      }
      do throws(PostgresError) {
        return try readiness(zones, timeout: .seconds(1))
      } catch {
        throw .postgres(error)
      }
    }
  }

  private static func readiness(_ pool: ConnectionPool, timeout: Duration) throws(PostgresError) -> Readiness
  {
    try pool.withConnection(timeout: timeout) { connection throws(PostgresError) in
      try CountStore(connection).readiness()
    }
  }

  private static func answer<Value: Sendable>(
    _ pool: ConnectionPool,
    _ outcomes: QueryOutcomes? = nil,
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
      outcomes?.record(.postgres(error))
      throw .postgres(error)
    }
    outcomes?.record(result.error)
    return try result.get()
  }

  /// As above, for bodies that throw more than the store does.
  private static func hand(
    _ pool: ConnectionPool,
    _ outcomes: QueryOutcomes,
    _ body: (CountStore) throws -> Void
  ) throws {
    let result: Result<Void, any Error>
    do throws(PostgresError) {
      result = try pool.withConnection { connection throws(PostgresError) in
        Result { try body(CountStore(connection)) }
      }
    } catch {
      outcomes.record(.postgres(error))
      throw CountStoreError.postgres(error)
    }
    // What is no failure of the store is the client's, which went away.
    outcomes.record(result.error as? CountStoreError)
    try result.get()
  }
}

extension Result {
  /// What went wrong; nil when nothing did.
  fileprivate var error: Failure? {
    if case .failure(let error) = self { error } else { nil }
  }
}
