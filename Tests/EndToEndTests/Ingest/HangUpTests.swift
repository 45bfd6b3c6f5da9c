import Foundation
import Glibc
import Postgres
import TestSupport
import Testing

extension EndToEnd {
  /// SIGHUP ends no command that has no terminal, and neither a worker nor a server in any case.
  @Suite("Hang-ups")
  struct HangUpTests {
    @Test("SIGHUP does not end a worker, which says so and goes on counting")
    func worker() throws {
      try Deployment.with { deployment in
        try deployment.send(["a"])
        let worker = try deployment.worker(sessionMilliseconds: 2500)
        try worker.waitForErrors(containing: committed, within: .seconds(30))
        for _ in 0..<3 { worker.signal(SIGHUP) }
        try worker.waitUntil(within: .seconds(20), "it mentions the signal") {
          worker.errors.contains("SIGHUP")
        }
        try deployment.send(["b"])
        let connection = try deployment.connect()
        try worker.waitUntil(within: .seconds(20), "it goes on counting") {
          try deployment.accountedFor(connection) == 2
        }
        worker.signal(SIGTERM)
        #expect(try worker.wait(within: .seconds(20)) == .exited(0), "\(worker.story)")
      }
    }

    @Test("SIGHUP does not end the simulator before it has sent what it was asked for")
    func simulator() throws {
      try Deployment.with { deployment in
        let truthFile = try TemporaryFile("truth")
        let arguments = [
          "simulate", "--topic", deployment.topic, "--truth", truthFile.path, "--rate", "200", "--count",
          "4000",
        ]
        let simulator = try Self.withoutTerminal(arguments, deployment)
        // The first that arrive: it is at work.
        let worker = try deployment.worker(sessionMilliseconds: 2500)
        try worker.waitForErrors(containing: committed, within: .seconds(30))
        #expect(simulator.isRunning, "it was at work when the signal came")
        simulator.signal(SIGHUP)
        #expect(try simulator.wait(within: .seconds(60)) == .exited(0), "\(simulator.story)")
        worker.signal(SIGTERM)
        _ = try worker.wait(within: .seconds(20))
        try deployment.drain()
        #expect(try TruthFile(truthFile.path).differences(deployment.connect()) == [])
      }
    }

    @Test(
      "SIGHUP does not end a command without a terminal in the middle of its work",
      arguments: [
        (["retention"], "ingest_offset"), (["quarantine", "release"], "quarantine"),
        (["dead-letters", "purge", "--all"], "dead_letter"), (["migrate"], "schema_migration"),
      ]
    )
    func command(arguments: [String], table: String) throws {
      try Deployment.with { deployment in
        let connection = try deployment.connect()
        let watcher = try deployment.connect()
        try connection.run(script: "BEGIN; LOCK TABLE \(table) IN ACCESS EXCLUSIVE MODE")
        let process = try Self.withoutTerminal(arguments, deployment)
        try process.waitUntil(within: .seconds(20), "it waits for the table") {
          try watcher.execute(
            """
            SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'
            AND application_name LIKE 'topitems %' AND datname = current_database()
            """
          ).int64(0, 0) > 0
        }
        process.signal(SIGHUP)
        try connection.run(script: "ROLLBACK")
        #expect(try process.wait(within: .seconds(60)) == .exited(0), "\(process.story)")
      }
    }

    /// In a session of its own: the tests may be run from a terminal, and its hang-up ends a command, as it should.
    private static func withoutTerminal(_ arguments: [String], _ deployment: Deployment) throws
      -> ProcessRunner
    {
      try ProcessRunner(
        "/usr/bin/setsid",
        [ProcessRunner.binary()] + arguments,
        environment: deployment.environment
      )
    }
  }
}
