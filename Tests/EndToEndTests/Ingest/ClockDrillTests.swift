import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEnd {
  /// The drill of docs/operations.md: what an operator sees and does when the database's clock was wrong.
  @Suite("a wrong clock on the database's host, and the way back")
  struct ClockDrillTests {
    private static let day = 86_400

    private func counted(_ connection: Connection) throws -> Int64 {
      try connection.execute("SELECT coalesce(sum(counted), 0)::bigint FROM ingest_offset").int64(0, 0)
    }

    private func late(_ connection: Connection) throws -> Int64 {
      try connection.execute("SELECT coalesce(sum(late), 0)::bigint FROM ingest_offset").int64(0, 0)
    }

    @Test(
      "a worker says that the clock is wrong and counts on; retention refuses, by hand it goes on, and floor set corrects it"
    )
    func drill() throws {
      let cluster = try PostgresCluster(fsync: false, hasSettableClock: true)
      let deployment = try Deployment(databaseURL: cluster.url(), broker: Broker.running(), partitions: 1)
      try deployment.migrate()
      let worker = try deployment.worker()
      try deployment.send(["a", "b"])
      let connection = try deployment.connect()
      try worker.waitUntil(within: .seconds(60), "two are counted") { try counted(connection) == 2 }

      try cluster.setClock(ahead: 40 * Self.day)
      try worker.waitForErrors(containing: "40 days ahead of", within: .seconds(60))
      try deployment.send(["c"])
      try worker.waitUntil(within: .seconds(60), "it counts on") { try counted(connection) == 3 }
      let refused = try ProcessRunner.run(["retention"], environment: deployment.environment)
      #expect(refused.ending == .exited(1), "\(refused)")
      #expect(refused.errors.contains("40 days ahead of") && refused.errors.contains("--yes"), "\(refused)")
      #expect(
        refused.errors.contains("would raise the deduplication floor"),
        "it says what would go: \(refused)"
      )
      let dry = try ProcessRunner.run(["retention", "--dry-run"], environment: deployment.environment)
      #expect(
        dry.ending == .exited(0) && dry.output.contains("would raise the deduplication floor"),
        "\(dry)"
      )
      let floor = try connection.execute("SELECT floor_at FROM dedup_floor").timestamp(0, 0)

      // The operator's slip: what a release that believed the clock did by itself.
      let slip = try ProcessRunner.run(["retention", "--yes"], environment: deployment.environment)
      #expect(slip.ending == .exited(0) && slip.errors.contains("by hand"), "\(slip)")
      #expect(try connection.execute("SELECT floor_at FROM dedup_floor").timestamp(0, 0) > floor)
      try cluster.setClock(ahead: 0)
      // The word given for the wrong clock is taken back.
      let back = try ProcessRunner.run(["retention", "--yes"], environment: deployment.environment)
      #expect(back.ending == .exited(0), "\(back)")
      try deployment.send(["d"])
      try worker.waitUntil(within: .seconds(60), "every event is late") { try late(connection) == 1 }
      try worker.waitForErrors(containing: "so that every event is late", within: .seconds(90))

      let shown = try ProcessRunner.run(["floor", "show"], environment: deployment.environment)
      #expect(shown.ending == .exited(0) && shown.output.contains("AHEAD OF THE CLOCK"), "\(shown)")
      #expect(shown.output.contains("1 safe to count"), "\(shown)")
      // The slip has purged what was counted before it.
      let line = try #require(shown.output.split(separator: "\n").first { $0.hasPrefix("lowest safe floor") })
      let lowest = String(line.split(separator: " ")[3])
      let set = try ProcessRunner.run(["floor", "set", lowest], environment: deployment.environment)
      #expect(
        set.ending == .exited(0) && set.output.contains("1 events were wrongly late: 1 counted"),
        "\(set)"
      )
      try deployment.send(["e"])
      try worker.waitUntil(within: .seconds(60), "new events count at once") { try counted(connection) == 5 }
      #expect(try late(connection) == 0)
      #expect(worker.isRunning)
      let again = try ProcessRunner.run(["retention"], environment: deployment.environment)
      #expect(again.ending == .exited(0), "\(again)")
    }

    @Test("floor refuses what is no time, what would raise it, and duplicates without a reason")
    func usage() throws {
      try Deployment.with { deployment in
        func run(_ arguments: [String]) throws -> ProcessRunner.Finished {
          try ProcessRunner.run(["floor"] + arguments, environment: deployment.environment)
        }
        let none = try run(["show"])
        #expect(none.ending == .exited(1) && none.errors.contains("no floor yet"), "\(none)")
        try deployment.send(["a"])
        try deployment.drain()
        let word = try run(["set", "yesterday"])
        #expect(word.ending == .exited(2) && word.errors.contains("RFC 3339"), "\(word)")
        let up = try run(["set", "2099-01-01T00:00:00Z"])
        #expect(up.ending == .exited(1) && up.errors.contains("only moves it down"), "\(up)")
        let unexplained = try run(["set", "2020-01-01T00:00:00Z", "--accept-duplicates"])
        #expect(unexplained.ending == .exited(2) && unexplained.errors.contains("--reason"), "\(unexplained)")
        let connection = try deployment.connect()
        try connection.run(script: "UPDATE dedup_floor SET purged_until = '2025-01-01T00:00:00.5Z'")
        let below = try run(["set", "2025-01-01T00:00:00Z"])
        #expect(
          below.ending == .exited(1) && below.errors.contains("2025-01-01T00:00:00.500001Z"),
          "\(below)"
        )
        let safe = try run(["set", "2025-01-01T00:00:00.500001Z"])
        #expect(safe.ending == .exited(0), "\(safe)")
        let accepted = try run(["set", "2024-12-31T00:00:00Z", "--accept-duplicates", "--reason", "a drill"])
        #expect(accepted.ending == .exited(0), "\(accepted)")
        let shown = try run(["show"])
        #expect(shown.output.contains("a drill") && shown.output.contains("2024-12-31T00:00:00Z"), "\(shown)")
      }
    }
  }
}
