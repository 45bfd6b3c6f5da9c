import Postgres
import TestSupport
import Testing

@Suite("PostgreSQL notifications and cancellation")
struct PostgresSignalsTests {
  @Test("notifications arrive in order, and waiting ends in time")
  func notifications() throws {
    try TestDatabase.withDatabase { url in
      let listener = try Connection(ConnectionOptions(url: url))
      let sender = try Connection(ConnectionOptions(url: url))
      try listener.listen(to: "Odd \"channel\"")
      let start = ContinuousClock.now
      #expect(try listener.waitForNotification(timeout: 50) == nil)
      #expect(ContinuousClock.now - start >= .milliseconds(50))
      #expect(try listener.waitForNotification(timeout: 0) == nil)
      for payload in ["1", "", "é"] {
        _ = try sender.execute("SELECT pg_notify('Odd \"channel\"', \(payload))")
      }
      for payload in ["1", "", "é"] {
        let notification = try listener.waitForNotification(timeout: 5000)
        #expect(notification?.channel == "Odd \"channel\"")
        #expect(notification?.payload == payload)
        #expect(notification?.backendPid == sender.backendPid)
      }
      // One that comes with a statement's answer is not lost.
      _ = try sender.execute("SELECT pg_notify('Odd \"channel\"', 'late')")
      _ = try listener.execute("SELECT 1")
      #expect(try listener.waitForNotification(timeout: 5000)?.payload == "late")
    }
  }

  @Test("a waiting listener learns that its connection is lost")
  func lostListener() throws {
    try TestDatabase.withDatabase { url in
      let listener = try Connection(ConnectionOptions(url: url))
      let other = try Connection(ConnectionOptions(url: url))
      try listener.listen(to: "c")
      _ = try other.execute("SELECT pg_terminate_backend(\(listener.backendPid), 5000)")
      let error = #expect(throws: PostgresError.self) {
        while true { _ = try listener.waitForNotification(timeout: 10_000) }
      }
      #expect(error?.kind == .connection)
    }
  }

  @Test("a slow statement is cancelled from another thread, and the connection lives on")
  func cancellation() throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      let canceller = connection.canceller
      let pid = connection.backendPid
      let work = Background {
        let other = try Connection(ConnectionOptions(url: url))
        try waitUntil("the statement runs") {
          try other.execute("SELECT 1 FROM pg_stat_activity WHERE pid = \(pid) AND wait_event = 'PgSleep'")
            .count == 1
        }
        try canceller.cancel()
      }
      let error = #expect(throws: PostgresError.self) { _ = try connection.execute("SELECT pg_sleep(60)") }
      try work.value()
      #expect(error?.sqlState == .queryCanceled)
      #expect(error?.kind == .server)
      #expect(try connection.execute("SELECT 1").int64(0, 0) == 1)
    }
  }
}
