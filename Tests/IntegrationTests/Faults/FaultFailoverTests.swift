import Foundation
import Postgres
import TestSupport
import Testing

extension Faults {
  /// Cases 6 and 7: PostgreSQL loses commits that it had confirmed, the counts and the offsets alike.
  @Suite("Lost commits") struct FailoverTests {
    @Test(
      "a failover to a standby that lags behind: counts and offsets step back together, and all is read again"
    )
    func failover() async throws {
      try await onOwnThread { findings in
        let primary = try PostgresCluster(fsync: false)
        defer { primary.remove() }
        let stream = try FaultProxy(toPort: primary.port)
        defer { stream.close() }
        let standby = try PostgresCluster(standbyOf: primary, port: stream.port)
        defer { standby.remove() }
        try Connection(ConnectionOptions(url: primary.url())).run(script: "CREATE DATABASE topitems")
        let fixture = try FaultFixture(
          database: primary.url(database: "topitems"),
          broker: Broker.running()
        )
        let proxy = try FaultProxy(toPort: primary.port)
        defer { proxy.close() }
        let worker = FaultWorker(fixture.options(database: proxy.url(fixture.database)))
        try fixture.send(1000)
        try fixture.waitUntilCounted(worker)
        let onStandby = try Connection(ConnectionOptions(url: standby.url(database: "topitems")))
        var there: Int64 = 0
        try waitUntil("the standby has it all", seen: { "\(there) messages" }) {
          there = try fixture.accountedFor(onStandby)
          return there == 1000
        }
        onStandby.close()
        stream.set(.stall)
        try fixture.send(1000)
        try fixture.waitUntilCounted(worker)

        try primary.stop(.immediate)
        try standby.promote()
        try proxy.retarget(to: "127.0.0.1:\(standby.port)")
        let promoted = try Connection(ConnectionOptions(url: standby.url(database: "topitems")))
        let before = try fixture.accountedFor(promoted)
        findings.expect(before < 2000, "the standby did not lag")
        try fixture.send(500)
        try worker.wait("all is counted again", within: .seconds(40)) { _ in
          try fixture.accountedFor(promoted) == 2500
        }
        try worker.stop()
        findings.expectNone(try Invariants.violations(promoted, recount: fixture.recount), worker.story)
      }
    }

    @Test(
      "a server with synchronous_commit=off that crashes again and again loses its last commits, never a count"
    )
    func asynchronousCommits() async throws {
      try await onOwnThread { findings in
        let cluster = try PostgresCluster(
          fsync: true,
          settings: ["synchronous_commit": "off", "wal_writer_delay": "10s", "wal_writer_flush_after": "1GB"]
        )
        defer { cluster.remove() }
        try Connection(ConnectionOptions(url: cluster.url())).run(script: "CREATE DATABASE topitems")
        let fixture = try FaultFixture(
          database: cluster.url(database: "topitems"),
          broker: Broker.running()
        )
        let worker = FaultWorker(fixture.options())
        var stepsBack = 0
        for _ in 0..<4 {
          try fixture.send(500)
          try fixture.waitUntilCounted(worker)
          try cluster.restart(.immediate)
          if try fixture.accountedFor(fixture.connect()) < fixture.sent { stepsBack += 1 }
        }
        try fixture.waitUntilCounted(worker)
        try worker.stop()
        findings.expect(stepsBack > 0, "no commit was ever lost")
        findings.expectNone(try fixture.violations(), worker.story)
      }
    }
  }
}
