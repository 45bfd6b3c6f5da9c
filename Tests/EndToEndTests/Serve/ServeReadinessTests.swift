import Foundation
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
        let server = try APIServer(databaseURL: url, options: ["--workers", "1", "--query-timeout", "60"])
        let writer = try Connection(ConnectionOptions(url: url))
        try writer.run(script: "BEGIN; LOCK TABLE revision IN ACCESS EXCLUSIVE MODE")
        let watch = try Connection(ConnectionOptions(url: url))
        let slow = Background { try server.client.get("/v1/top-items?n=7", within: .seconds(60)).status }
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

    @Test(
      "it is not ready while PostgreSQL is frozen, answers that without waiting for it, and is ready again after"
    )
    func frozen() throws {
      let cluster = try PostgresCluster(fsync: false)
      defer { cluster.remove() }
      let deployment = try Deployment(databaseURL: cluster.url(), broker: Broker.running())
      try deployment.migrate()
      let server = try APIServer(databaseURL: cluster.url())
      defer { server.process.signal(SIGKILL) }
      try server.waitUntilReady()
      #expect(try server.client.get("/v1/top-items?n=3").status == 200)
      try cluster.freeze()
      defer { cluster.thaw() }
      // Before, the first one waited for 25 s. How soon exactly is ReadinessTests' business, where no load decides.
      for _ in 0..<3 { #expect(try server.client.get("/readyz", within: .seconds(10)).status == 503) }
      #expect(try server.client.get("/healthz", within: .seconds(10)).status == 200)
      cluster.thaw()
      try server.waitUntilReady(within: .seconds(60))
      #expect(try server.client.get("/v1/top-items?n=4").status == 200)
    }

    @Test("it is as ready as questions are answered when its role is out of connections")
    func outOfConnections() throws {
      let cluster = try PostgresCluster(fsync: false)
      defer { cluster.remove() }
      try Deployment(databaseURL: cluster.url(), broker: Broker.running()).migrate()
      let admin = try Connection(ConnectionOptions(url: cluster.url()))
      try admin.run(
        script: """
          CREATE ROLE limited LOGIN PASSWORD 'secret' CONNECTION LIMIT 3;
          GRANT SELECT ON ALL TABLES IN SCHEMA public TO limited;
          """
      )
      let limited = "postgresql://limited:secret@127.0.0.1:\(cluster.port)/postgres"
      let server = try APIServer(databaseURL: limited)
      defer { server.process.signal(SIGKILL) }
      try server.waitUntilReady()
      try waitUntil("the listener's connection, and the one that was asked by") {
        try admin.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = 'limited'").int64(0, 0) == 2
      }
      var seats = [try Connection(ConnectionOptions(url: limited))]
      let question = try server.client.get("/v1/top-items?n=5").status
      let readiness = try server.client.get("/readyz").status
      #expect((question == 200) == (readiness == 200), "\(question), \(readiness)")
      // Now nothing is left for questions.
      _ = try admin.execute(
        """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE usename = 'limited' AND application_name = 'topitems serve'
        """
      )
      try waitUntil("all seats are taken") {
        if let one = try? Connection(ConnectionOptions(url: limited)) { seats.append(one) }
        return seats.count == 2
      }
      #expect(try server.client.get("/v1/top-items?n=6").status == 503)
      #expect(try server.client.get("/readyz").status == 503)
      for seat in seats { seat.close() }
      try server.waitUntilReady()
      #expect(try server.client.get("/v1/top-items?n=7").status == 200)
    }
  }
}
