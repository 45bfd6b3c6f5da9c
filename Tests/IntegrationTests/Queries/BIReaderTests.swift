import CountStore
import Counting
import Foundation
import Postgres
import TestSupport
import Testing

@Suite("the role that may only read the views")
struct BIReaderTests {
  /// What psql says to commands in one session that has become the reader.
  private func psql(_ url: String, _ commands: String...) throws -> (
    ending: ProcessRunner.Ending, output: String, errors: String
  ) {
    let parts = try #require(URLComponents(string: url))
    var environment: [String: String?] = [
      "PGHOST": parts.host, "PGPORT": parts.port.map(String.init), "PGUSER": parts.user,
      "PGPASSWORD": parts.password, "PGDATABASE": String(parts.path.dropFirst()),
    ]
    environment["PGPASSFILE"] = parts.queryItems?.first { $0.name == "passfile" }?.value
    let arguments = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
    let process = try ProcessRunner(
      "/usr/bin/env",
      arguments + (["SET ROLE topitems_reader"] + commands).flatMap { ["-c", $0] },
      environment: environment
    )
    let ending = try process.wait(within: .seconds(60))
    try #require(ending != .exited(127), "psql is missing; apt-get install postgresql-client")
    return (ending, process.output, process.errors)
  }

  @Test("it answers a BI tool's question with the numbers of a recount")
  func biQuery() throws {
    try RollupFixture.with { fixture throws in
      let today = try fixture.today()
      let noon = today - 12 * RollupFixture.hour
      try fixture.count([
        (1, "=1+1", noon), (1, "=1+1", noon + 1), (1, "עגלה", noon), (2, "pallet", noon),
        (1, "old", noon - 86_400_000_000),
      ])
      try fixture.foldAll(until: today)
      try fixture.count([(2, "pallet", noon)])
      _ = try fixture.store.importLocations([Location(oid: 1, name: "Gate A")], replace: false, dryRun: false)
      // As Power BI's DirectQuery asks: a subquery of its own around the view, groups and a limit.
      let answer = try psql(
        fixture.base.url,
        """
        SELECT "_"."geographical_location", "_"."item_name", sum("_"."item_count") AS "a0"
        FROM (SELECT * FROM "bi"."top_items_by_hour" "$Table"
              WHERE "window_start" >= now() - interval '3 days' AND "item_rank" <= 2) "_"
        WHERE "_"."window_start" >= date_trunc('day', now(), 'UTC') - interval '12 hours'
        GROUP BY 1, 2 ORDER BY 3 DESC, 2 DESC LIMIT 1000001
        """
      )
      #expect(answer.errors == "")
      #expect(answer.output == "|pallet|2\nGate A|=1+1|2\nGate A|עגלה|1\n")
    }
  }

  @Test(
    "it can neither write nor look behind the views",
    arguments: [
      "INSERT INTO bi.locations VALUES (1, 'x')", "DELETE FROM bi.window_counts",
      "UPDATE bi.top_items_by_hour SET item_count = 1", "SELECT * FROM detection",
      "SELECT * FROM window_count",
      "DELETE FROM window_count", "CREATE TABLE bi.mine (x int)", "CREATE VIEW bi.mine AS SELECT 1",
    ]
  )
  func refused(statement: String) throws {
    try CountStoreFixture.with { fixture throws in
      let answer = try psql(fixture.url, statement)
      #expect(answer.ending != .exited(0))
      #expect(
        answer.errors.contains("permission denied") || answer.errors.contains("cannot "),
        "\(answer.errors)"
      )
      #expect(try psql(fixture.url, "SELECT count(*) FROM bi.locations").output == "0\n")
    }
  }

  @Test("an owner that may not make roles migrates all the same, and the role can be added later")
  func ownerWithoutCreateRole() throws {
    let cluster = try PostgresCluster(fsync: false)
    defer { cluster.remove() }
    let superuser = try Connection(ConnectionOptions(url: cluster.url()))
    try superuser.run(script: "CREATE ROLE plain LOGIN PASSWORD 'plain'")
    try superuser.run(script: "CREATE DATABASE counts OWNER plain")
    let url = "postgresql://plain:plain@127.0.0.1:\(cluster.port)/counts"
    let owner = try Connection(ConnectionOptions(url: url))
    _ = try CountStore(owner).migrate()
    #expect(try owner.execute("SELECT count(*) FROM bi.locations").int64(0, 0) == 0)
    let role: Query = "SELECT count(*) FROM pg_roles WHERE rolname = 'topitems_reader'"
    #expect(try superuser.execute(role).int64(0, 0) == 0)

    // As docs/connect/postgresql.md says.
    try superuser.run(script: "CREATE ROLE topitems_reader NOLOGIN")
    try owner.run(
      script: """
        GRANT USAGE ON SCHEMA bi TO topitems_reader;
        GRANT SELECT ON ALL TABLES IN SCHEMA bi TO topitems_reader
        """
    )
    #expect(try psql(cluster.url(database: "counts"), "SELECT count(*) FROM bi.locations").output == "0\n")
  }
}
