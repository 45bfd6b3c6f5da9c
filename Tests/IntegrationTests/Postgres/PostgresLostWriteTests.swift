import Glibc
import TestSupport
import Testing

@testable import Postgres

/// A write to a connection that the server has closed fails before all is read that it had sent: libpq reports the
/// write then, in a result without SQLSTATE, while `PQstatus` still says that all is well.
@Suite("PostgreSQL connections that are lost while a statement is sent")
struct PostgresLostWriteTests {
  /// More than goes out in one write: the first meets a closed socket, the second one fails.
  private static let long = String(repeating: "x", count: 1 << 20)

  /// Ends the connection's session after it was sent more than libpq reads at once (16 KiB), and less than a socket
  /// holds.
  private func end(_ connection: Connection, from other: Connection) throws {
    for number in 0..<8 as Range<Int64> {
      _ = try other.execute("SELECT pg_notify('news', \(number)::text || repeat('.', 7000))")
    }
    try waitUntil("they have arrived") {
      var count: Int32 = 0
      return ioctl(connection.socket, UInt(FIONREAD), &count) == 0 && count > 8 * 7000
    }
    _ = try other.execute("SELECT pg_terminate_backend(\(connection.backendPid), 5000)")
  }

  private func expectLost(_ use: (Connection, _ end: () throws -> Void) throws -> Void) throws {
    try TestDatabase.withDatabase { url in
      let connection = try Connection(ConnectionOptions(url: url))
      let other = try Connection(ConnectionOptions(url: url))
      try connection.listen(to: "news")
      let error = #expect(throws: PostgresError.self) {
        try use(connection) { try end(connection, from: other) }
      }
      #expect(error?.kind == .connection && error?.remedy == .renewSession, "\(String(describing: error))")
      #expect(!connection.isUsable)
    }
  }

  @Test("a statement fails with the connection")
  func statement() throws {
    try expectLost { connection, end throws in
      let query: Query = "SELECT length(\(Self.long))"
      _ = try connection.execute(query)
      try end()
      _ = try connection.execute(query)
    }
  }

  @Test("a script fails with the connection")
  func script() throws {
    try expectLost { connection, end throws in
      try end()
      try connection.run(script: "SELECT '\(Self.long)'")
    }
  }

  @Test("a pipeline fails with the connection")
  func pipeline() throws {
    try expectLost { connection, end throws in
      let query: Query = "SELECT length(\(Self.long))"
      _ = try connection.pipeline([query, query])
      try end()
      _ = try connection.pipeline([query, query])
    }
  }

  @Test("a pipeline that is not answered in time costs the connection")
  func silence() throws {
    try TestDatabase.withDatabase { url in
      var options = ConnectionOptions(url: url)
      options.answerTimeout = 1
      let connection = try Connection(options)
      let error = #expect(throws: PostgresError.self) {
        _ = try connection.pipeline(["SELECT 1", "SELECT pg_sleep(60)::text", "SELECT 2"])
      }
      #expect(error?.kind == .connection && error?.message.contains("did not answer") == true)
      #expect(!connection.isUsable)
    }
  }
}
