import Postgres
import TestSupport
import Testing

@Suite("TestDatabase")
struct TestDatabaseTests {
  @Test(
    "a URL keeps everything but its database",
    arguments: [
      ("postgresql://u:p@h:1/old?a=b/c", "postgresql://u:p@h:1/new?a=b/c"),
      ("postgresql://h", "postgresql://h/new"),
      ("postgres:///old", "postgres:///new"), ("host=h dbname=old", "host=h dbname=old dbname=new"),
    ]
  )
  func urls(old: String, new: String) {
    #expect(TestDatabase.url(old, database: "new") == new)
  }

  @Test("each database is fresh, and is gone afterwards although a client is still connected")
  func lifecycle() async throws {
    var names: [String] = []
    for _ in 0..<2 {
      let name = try await TestDatabase.withDatabase { url async throws in
        let connection = try Connection(ConnectionOptions(url: url))
        try connection.run(script: "CREATE TABLE t (a int)")
        await Task.yield()
        return try connection.execute("SELECT current_database()::text").string(0, 0)
      }
      names.append(name)
    }
    let isGone = try TestDatabase.withDatabase { url in
      try Connection(ConnectionOptions(url: url))
        .execute("SELECT count(*) FROM pg_database WHERE datname = ANY(\(names))").int64(0, 0) == 0
    }
    #expect(isGone)
    #expect(Set(names).count == 2)
  }
}
