import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEnd {
  @Suite("topitems topics")
  struct TopicsCommandTests {
    private func run(_ deployment: Deployment, _ arguments: String...) throws -> ProcessRunner.Finished {
      try ProcessRunner.run(["topics"] + arguments, environment: deployment.environment)
    }

    /// Whether each partition is held, by the list.
    private func heldLines(_ deployment: Deployment) throws -> [Bool] {
      try run(deployment, "list", "--json").output.split(separator: "\n").map { $0.contains(#""held":true"#) }
    }

    @Test("a topic is listed, kept while a worker has it, and forgotten afterwards with its fates kept")
    func forgetting() throws {
      try Deployment.with { deployment in
        let connection = try deployment.connect()
        let worker = try deployment.worker()
        defer { worker.end() }
        try deployment.send(["a", "b", "c"])
        try waitUntil("the events are counted", within: .seconds(60)) {
          try connection.execute("SELECT counted FROM fate_total").int64(0, 0) == 3
        }
        let listed = try run(deployment, "list")
        #expect(listed.ending == .exited(0) && listed.output.contains(deployment.topic), "\(listed)")
        try waitUntil("the worker is known to hold all partitions", within: .seconds(30)) {
          try heldLines(deployment) == [true, true, true, true]
        }
        let held = try run(deployment, "forget", deployment.topic, "--yes")
        #expect(held.ending == .exited(1) && held.errors.contains("a live worker"), "\(held)")
        #expect(try connection.execute("SELECT count(*) FROM ingest_offset").int64(0, 0) == 4)

        worker.signal(SIGTERM)
        #expect(try worker.wait(within: .seconds(15)) == .exited(0))
        try waitUntil("its sessions have ended") {
          try heldLines(deployment) == [false, false, false, false]
        }
        let reported = try run(deployment, "forget", "\(deployment.topic):2")
        #expect(reported.ending == .exited(1) && reported.errors.contains("--yes"), "\(reported)")
        #expect(reported.output.contains("would forget the offsets of 1 partitions"), "\(reported)")
        #expect(try connection.execute("SELECT count(*) FROM ingest_offset").int64(0, 0) == 4)

        let done = try run(deployment, "forget", deployment.topic, "--yes")
        #expect(
          done.ending == .exited(0) && done.output.contains("forgot the offsets of 4 partitions"),
          "\(done)"
        )
        #expect(try connection.execute("SELECT count(*) FROM ingest_offset").int64(0, 0) == 0)
        #expect(try connection.execute("SELECT counted FROM fate_total").int64(0, 0) == 3)
        let after = try run(deployment, "list")
        #expect(after.output.contains("forgotten "), "\(after)")
        let again = try run(deployment, "forget", deployment.topic, "--yes")
        #expect(again.ending == .exited(1) && again.errors.contains("nothing is stored"), "\(again)")
      }
    }

    @Test("a name that is none is wrong usage", arguments: ["", "a:", "a:b", "a:-1", "a:1:2", ":1"])
    func usage(target: String) throws {
      let run = try ProcessRunner.run(
        ["topics", "forget", target, "--database-url", "postgresql://u@127.0.0.1:1/x"]
      )
      #expect(run.ending == .exited(2) && run.errors.contains("TOPIC:NUMBER"), "\(run)")
    }
  }
}
