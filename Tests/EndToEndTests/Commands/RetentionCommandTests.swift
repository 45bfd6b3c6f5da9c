import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEnd {
  @Suite("topitems retention")
  struct RetentionCommandTests {
    /// A database in which a worker has counted for ten days: a detection an hour, none of them folded or dropped yet.
    private func with(_ body: (_ url: String, Connection) throws -> Void) throws {
      try TestDatabase.withDatabase { url in
        let migrate = try run(url, "migrate")
        try #require(migrate.ending == .exited(0), "\(migrate)")
        let connection = try Connection(ConnectionOptions(url: url))
        try connection.run(script: "INSERT INTO dedup_floor (floor_at) VALUES (now() - interval '10 days')")
        let set = try run(url, "retention", "set", "--dedup-horizon", "P10D", "--keep-minutes", "P10D")
        try #require(set.ending == .exited(0), "\(set)")
        let made = try run(url, "retention")  // makes the partitions
        try #require(made.ending == .exited(0), "\(made)")
        try connection.run(
          script: """
            INSERT INTO ingest_offset (topic, partition, next_offset, epoch, max_event_at, last_message_at, counted)
            VALUES ('t', 0, 240, 1, now(), now(), 240);
            INSERT INTO item (name_sha256, item_name) VALUES (sha256('a'), 'a');
            INSERT INTO counted_location VALUES (1);
            INSERT INTO detection SELECT n, time, time
            FROM generate_series(0, 239) AS n, LATERAL (SELECT now() - interval '1 min' - n * interval '1 hour') AS at(time);
            INSERT INTO window_count SELECT 1, date_bin('1 minute', detected_at, 'epoch'), item_id, 1
            FROM detection, item;
            UPDATE rollup_mark SET folded_until = '0001-01-01 00:00:00+00', folding_until = '0001-01-01 00:00:00+00'
            WHERE level <> 'minute'
            """
        )
        try body(url, connection)
      }
    }

    private func run(_ url: String, _ arguments: String...) throws -> ProcessRunner.Finished {
      try ProcessRunner.run(arguments, environment: ["TOPITEMS_DATABASE_URL": url])
    }

    private func number(_ connection: Connection, _ query: Query) throws -> Int64 {
      try connection.execute(query).int64(0, 0)
    }

    private func keys(_ connection: Connection) throws -> Int64 {
      try number(connection, "SELECT count(*) FROM detection")
    }

    @Test(
      "a dry run lists every partition and every key that the run then destroys, before anything is folded"
    )
    func dryRun() throws {
      try with { url, connection in
        let set = try run(
          url,
          "retention",
          "set",
          "--dedup-horizon",
          "PT5M",
          "--keep-minutes",
          "PT5M",
          "--yes"
        )
        #expect(set.ending == .exited(0), "\(set)")
        try connection.run(script: "DELETE FROM clock_anchor")
        let dry = try run(url, "retention", "--dry-run")
        #expect(dry.ending == .exited(0), "\(dry)")
        #expect(try keys(connection) == 240)
        let anchors = try connection.execute("SELECT count(*) FROM clock_anchor").int64(0, 0)
        #expect(anchors == 0, "a dry run writes nothing, not even that the clocks agree")
        let real = try run(url, "retention")
        #expect(real.ending == .exited(0), "\(real)")
        let purged = 240 - (try keys(connection))
        #expect(purged >= 238)
        #expect(dry.output.contains("would delete \(purged) keys of detections, about "), "\(dry)")
        #expect(real.output.contains("deleted \(purged) keys of detections"), "\(real)")
        let dropped = real.output.split(separator: "\n").filter { $0.hasPrefix("dropped ") }
          .flatMap { $0.dropFirst("dropped ".count).split(separator: ", ") }
        #expect(dropped.count >= 9, "\(real)")
        for name in dropped { #expect(dry.output.contains("would drop \(name): "), "\(dry)") }
        #expect(dry.output.contains("would drop \(dropped.count) partitions in all: "), "\(dry)")
      }
    }

    @Test(
      "a slip in the horizon deletes nothing: it is refused with the number of keys, until it is repeated with --yes"
    )
    func slip() throws {
      try with { url, connection in
        let slip = try run(url, "retention", "set", "--dedup-horizon", "PT1S")
        #expect(slip.ending == .exited(1) && slip.errors.contains("--yes"), "\(slip)")
        #expect(slip.output.contains("dedup-horizon: P10D → PT1S, shorter by more than half"), "\(slip)")
        #expect(slip.output.contains("would delete 240 keys of detections"), "\(slip)")
        #expect(try run(url, "retention").ending == .exited(0))
        #expect(try keys(connection) == 240)
        let shown = try run(url, "retention", "show")
        #expect(shown.ending == .exited(0) && shown.output.contains("dedup-horizon P10D\n"), "\(shown)")

        // A variable that was meant for a worker changes nothing.
        let variable = try ProcessRunner.run(
          ["retention", "set", "--keep-hours", "P400D"],
          environment: ["TOPITEMS_DATABASE_URL": url, "TOPITEMS_DEDUP_HORIZON": "PT1S"]
        )
        #expect(variable.ending == .exited(0), "\(variable)")
        #expect(try run(url, "retention", "show").output.contains("dedup-horizon P10D\n"))

        let yes = try run(url, "retention", "set", "--dedup-horizon", "P5D", "--yes")
        #expect(yes.ending == .exited(0), "\(yes)")
        let after = try run(url, "retention")
        #expect(after.ending == .exited(0) && after.output.contains("keys of detections"), "\(after)")
        #expect(try keys(connection) < 125)
      }
    }

    @Test("a worker's other options change nothing, and it says so and how to change it")
    func worker() throws {
      try Deployment.with { deployment in
        let set = try run(
          deployment.databaseURL,
          "retention",
          "set",
          "--dedup-horizon",
          "P10D",
          "--keep-minutes",
          "P20D"
        )
        #expect(set.ending == .exited(0), "\(set)")
        let worker = try deployment.worker(["--dedup-horizon", "PT1S", "--keep-minutes", "P20D"])
        defer { worker.end() }
        try waitUntil("the worker has logged the settings", within: .seconds(30)) {
          worker.errors.contains("retention as stored: dedup-horizon P10D, keep-minutes P20D")
        }
        try waitUntil("the worker has warned", within: .seconds(10)) {
          worker.errors.contains("--dedup-horizon PT1S has no effect, the database keeps P10D")
            && worker.errors.contains("topitems retention set --dedup-horizon PT1S")
        }
        #expect(!worker.errors.contains("--keep-minutes P20D has no effect"))
        let connection = try deployment.connect()
        #expect(try number(connection, "SELECT dedup_horizon_s FROM retention_setting") == 10 * 86_400)
      }
    }

    @Test("without settings to change, or with a time that is none, it is wrong usage")
    func usage() throws {
      let url = "postgresql://u@127.0.0.1:1/x"
      for arguments in [
        ["set"], ["set", "--keep-hours", "long"], ["set", "--keep-hours", "for-ever"],
        ["--dedup-horizon", "P1D"],
      ] {
        let run = try ProcessRunner.run(
          ["retention"] + arguments,
          environment: ["TOPITEMS_DATABASE_URL": url]
        )
        #expect(run.ending == .exited(2), "\(arguments): \(run)")
      }
    }
  }
}
