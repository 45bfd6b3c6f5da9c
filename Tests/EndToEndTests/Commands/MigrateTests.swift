import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEnd {
  @Suite("topitems migrate")
  struct MigrateTests {
    @Test("a second run finds nothing to do")
    func twice() throws {
      try TestDatabase.withDatabase { url in
        let first = try migrate(url)
        #expect(first.ending == .exited(0) && first.output.contains("applied 0001_counts.sql"), "\(first)")
        let second = try migrate(url)
        #expect(second.ending == .exited(0) && second.output == "the database is up to date\n", "\(second)")
      }
    }

    @Test("two at once: each migration is applied once, and both succeed")
    func twoAtOnce() throws {
      try TestDatabase.withDatabase { url in
        let both = try (0..<2).map { _ in try ProcessRunner(["migrate"], environment: variables(url)) }
        for run in both { #expect(try run.wait(within: .seconds(30)) == .exited(0), "\(run.story)") }
        let lines = both.flatMap { $0.output.split(separator: "\n") }
        let applied = lines.filter { $0.hasPrefix("applied ") }
        #expect(Set(applied).count == applied.count && !applied.isEmpty, "\(lines)")
        let connection = try Connection(ConnectionOptions(url: url))
        let stored = try connection.execute("SELECT count(*) FROM schema_migration").int64(0, 0)
        #expect(stored == Int64(applied.count))
      }
    }

    @Test("a landed migration whose file has changed is refused by name")
    func changed() throws {
      try TestDatabase.withDatabase { url in
        #expect(try migrate(url).ending == .exited(0))
        try Connection(ConnectionOptions(url: url)).run(
          script: #"UPDATE schema_migration SET sha256 = '\x00'::bytea WHERE version = 1"#
        )
        let run = try migrate(url)
        #expect(run.ending == .exited(1) && run.errors.contains("0001_counts.sql"), "\(run)")
      }
    }

    @Test("a worker refuses a database without tables, and says what to do")
    func ingestWithoutTables() throws {
      try TestDatabase.withDatabase { url in
        let deployment = try Deployment(databaseURL: url, broker: Broker.running(), partitions: 1)
        let worker = try deployment.worker(sessionMilliseconds: 2500)
        #expect(try worker.wait(within: .seconds(30)) == .exited(1), "\(worker.story)")
        #expect(worker.errors.contains("topitems migrate"), "\(worker.story)")
      }
    }

    @Test("an import into a database without tables is refused, and says what to do")
    func importWithoutTables() throws {
      try TestDatabase.withDatabase { url in
        let run = try ProcessRunner.run(
          ["locations", "import", "-"],
          environment: variables(url),
          input: Array("geographical_location_oid,geographical_location\n1,Gate\n".utf8)
        )
        #expect(run.ending == .exited(1) && run.errors.contains("topitems migrate"), "\(run)")
      }
    }

    @Test("a server on a database without tables is alive but not ready, until they are there")
    func serveWithoutTables() throws {
      try TestDatabase.withDatabase { url in
        let server = try APIServer(databaseURL: url)
        let readiness = try server.client.get("/readyz")
        #expect(readiness.status == 503 && readiness.text.contains("topitems migrate"), "\(readiness.text)")
        #expect(try server.client.get("/healthz").status == 200)
        let question = try server.client.get("/v1/top-items")
        #expect(question.status == 503 && question.text.contains("topitems migrate"), "\(question.text)")
        #expect(try migrate(url).ending == .exited(0))
        try server.waitUntilReady()
        #expect(try server.rows("n=1") == [])
      }
    }

    private func variables(_ url: String) -> [String: String?] { ["TOPITEMS_DATABASE_URL": url] }

    private func migrate(_ url: String) throws -> ProcessRunner.Finished {
      try ProcessRunner.run(["migrate"], environment: variables(url))
    }
  }
}
