import Threading
import Postgres
import TestSupport
import Testing

@Suite("PostgreSQL pool")
struct PostgresPoolTests {
  @Test("many threads share few connections, each used by one at a time")
  func sharing() throws {
    try TestDatabase.withDatabase { url in
      let pool = ConnectionPool(ConnectionOptions(url: url), size: 3)
      let inUse = Lock<Set<Int32>>([])
      let seen = Lock<Set<Int32>>([])
      let work = (0..<12).map { _ in
        Background {
          for _ in 0..<20 {
            try pool.withConnection(timeout: .seconds(20)) { connection throws(PostgresError) in
              let pid = connection.backendPid
              let isAlone = inUse.withLock { $0.insert(pid).inserted }
              #expect(isAlone)
              _ = seen.withLock { $0.insert(pid) }
              _ = try connection.execute("SELECT 1")
              _ = inUse.withLock { $0.remove(pid) }
            }
          }
        }
      }
      for thread in work { try thread.value() }
      #expect((1...3).contains(seen.withLock { $0.count }))
    }
  }

  @Test("a caller that gets no connection in time gets an error, and so does one that finds the queue full")
  func exhausted() throws {
    try TestDatabase.withDatabase { url in
      let pool = ConnectionPool(ConnectionOptions(url: url), size: 1, queueBound: 1)
      try pool.withConnection { _ throws(PostgresError) in
        let waiter = Background { () -> PostgresError? in
          while true {
            do {
              try pool.withConnection(timeout: .seconds(1)) { _ throws(PostgresError) in }
              return nil
            } catch let error as PostgresError where error.message.contains("too many") {
              // The other thread held the queue's only place for a moment.
              continue
            } catch {
              return error as? PostgresError
            }
          }
        }
        do {
          try waitUntil("the queue is full") {
            let error = #expect(throws: PostgresError.self) {
              try pool.withConnection(timeout: .zero) { _ throws(PostgresError) in }
            }
            #expect(error?.kind == .poolExhausted)
            return error?.message.contains("too many") == true
          }
          let error = try waiter.value()
          #expect(error?.kind == .poolExhausted)
          #expect(error?.remedy == .wait)
        } catch {
          Issue.record(error)
        }
      }
      try pool.withConnection { _ throws(PostgresError) in }
    }
  }

  @Test("a connection that broke, lies dead, or comes back inside a transaction is replaced")
  func replacement() throws {
    try TestDatabase.withDatabase { url in
      let pool = ConnectionPool(ConnectionOptions(url: url), size: 1)
      let other = try Connection(ConnectionOptions(url: url))
      let first = try pool.withConnection { connection throws(PostgresError) in connection.backendPid }
      _ = try other.execute("SELECT pg_terminate_backend(\(first), 5000)")
      let second = try pool.withConnection { connection throws(PostgresError) in
        _ = try connection.execute("SELECT 1")
        return connection.backendPid
      }
      #expect(second != first)
      #expect(throws: PostgresError.self) {
        try pool.withConnection { connection throws(PostgresError) in
          _ = try other.execute("SELECT pg_terminate_backend(\(second), 5000)")
          _ = try connection.execute("SELECT 1")
        }
      }
      let third = try pool.withConnection { connection throws(PostgresError) in
        try connection.begin()
        return connection.backendPid
      }
      try pool.withConnection { connection throws(PostgresError) in
        #expect(connection.backendPid != third)
        #expect(!connection.isInTransaction)
      }
    }
  }

  @Test("a dead database costs one connect per pause, and once it is back the pool recovers by itself")
  func backOff() throws {
    let cluster = try PostgresCluster(fsync: false)
    defer { cluster.remove() }
    let pool = ConnectionPool(ConnectionOptions(url: cluster.url()), size: 4)
    try pool.withConnection { connection throws(PostgresError) in _ = try connection.execute("SELECT 1") }
    try cluster.stop(.immediate)
    let start = ContinuousClock.now
    for _ in 0..<2_000 {
      let error = #expect(throws: PostgresError.self) {
        try pool.withConnection { _ throws(PostgresError) in }
      }
      #expect(error?.kind == .connection)
    }
    #expect(ContinuousClock.now - start < .seconds(10))
    try cluster.start()
    try waitUntil("the pool connects again") {
      (try? pool.withConnection { connection throws(PostgresError) in
        try connection.execute("SELECT 1").int64(0, 0)
      }) == 1
    }
  }

  @Test("a closed pool refuses, and its sessions end on the server")
  func close() throws {
    try TestDatabase.withDatabase { url in
      let pool = ConnectionPool(ConnectionOptions(url: url), size: 2)
      let other = try Connection(ConnectionOptions(url: url))
      let pid = try pool.withConnection { connection throws(PostgresError) in connection.backendPid }
      pool.close()
      #expect(throws: PostgresError.self) { try pool.withConnection { _ throws(PostgresError) in } }
      try waitUntil("the session ends") {
        try other.execute("SELECT 1 FROM pg_stat_activity WHERE pid = \(pid)").count == 0
      }
    }
  }
}
