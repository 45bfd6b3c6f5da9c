import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEnd {
  /// A URL that names a standby before the primary, as after a failover.
  @Suite("A standby among the hosts")
  struct StandbyTests {
    @Test("what writes connects to the primary; what only reads may use the standby")
    func standbyFirst() throws {
      let primary = try PostgresCluster(fsync: false)
      defer { primary.remove() }
      let standby = try PostgresCluster(standbyOf: primary, port: primary.port)
      defer { standby.remove() }
      let both = primary.url().replacing(
        "127.0.0.1:\(primary.port)",
        with: "127.0.0.1:\(standby.port),127.0.0.1:\(primary.port)"
      )
      let deployment = try Deployment(databaseURL: both, broker: Broker.running())
      try deployment.migrate()
      try deployment.send(["a", "b", "c"])
      try deployment.drain()
      for arguments in [
        ["retention"], ["quarantine", "release"], ["dead-letters", "replay"],
        ["dead-letters", "purge", "--all"],
      ] {
        let run = try ProcessRunner.run(arguments, environment: deployment.environment)
        #expect(run.ending == .exited(0), "\(arguments): \(run)")
      }
      let connection = try Connection(ConnectionOptions(url: primary.url()))
      let sum = "SELECT coalesce(sum(item_count), 0)::bigint FROM window_count"
      #expect(try connection.execute(Query(sql: sum)).int64(0, 0) == 3)

      let onStandby = ["TOPITEMS_DATABASE_URL": Optional(standby.url())]
      try waitUntil("the standby has it all") {
        try Connection(ConnectionOptions(url: standby.url())).execute(Query(sql: sum)).int64(0, 0) == 3
      }
      let list = try ProcessRunner.run(["dead-letters", "list"], environment: onStandby)
      #expect(list.ending == .exited(0), "\(list)")
      let refused = try ProcessRunner.run(["retention"], environment: onStandby)
      #expect(refused.ending == .exited(1) && refused.errors.contains("read-only"), "\(refused)")
    }
  }
}
