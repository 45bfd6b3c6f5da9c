import Postgres
import TestSupport
import Testing

@Suite("PostgresCluster")
struct PostgresClusterTests {
  @Test("a cluster keeps what was committed over a crash, and leaves nothing behind")
  func lifecycle() throws {
    let cluster = try PostgresCluster()
    defer { cluster.remove() }
    let options = ConnectionOptions(url: cluster.url())
    try Connection(options).run(script: "CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)")
    try cluster.restart(.immediate)
    #expect(try Connection(options).execute("SELECT count(*) FROM kept").int64(0, 0) == 1)
  }
}
