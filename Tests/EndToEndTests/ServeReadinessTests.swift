import Postgres
import TestSupport
import Testing

extension EndToEnd {
  @Suite("topitems serve, probed")
  struct ServeReadinessTests {
    @Test("it is ready while slow questions hold every worker")
    func readyWhileBusy() throws {
      try TestDatabase.withDatabase { url in
        let migrated = try ProcessRunner.run(["migrate"], environment: ["TOPITEMS_DATABASE_URL": url])
        try #require(migrated.ending == .exited(0), "\(migrated)")
        let server = try APIServer(databaseURL: url, options: ["--workers", "1"])
        let writer = try Connection(ConnectionOptions(url: url))
        try writer.run(script: "BEGIN; LOCK TABLE revision IN ACCESS EXCLUSIVE MODE")
        let watch = try Connection(ConnectionOptions(url: url))
        let slow = Background { try server.client.get("/v1/top-items?n=7", within: .seconds(20)).status }
        try waitUntil("the only worker waits for the lock") {
          try watch.execute(
            """
            SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'
            AND datname = current_database() AND application_name NOT LIKE '% listener'
            """
          ).int64(0, 0) == 1
        }
        for _ in 0..<3 { #expect(try server.client.get("/readyz", within: .seconds(5)).status == 200) }
        #expect(!slow.isDone, "the question still waits")
        try writer.run(script: "COMMIT")
        #expect(try slow.value() == 200)
      }
    }
  }
}
