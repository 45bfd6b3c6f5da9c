@testable import CountStore
import Counting
import Postgres
import TestSupport
import Testing

@Suite("logical replication")
struct ReplicaIdentityTests {
  private typealias F = RollupFixture

  @Test("every table has a replica identity, partitions that are made while it runs included")
  func identities() throws {
    try F.with(horizonDays: 500) { fixture throws in
      var retention = Retention(RetentionPolicy())
      _ = try retention.run(on: fixture.connection, at: fixture.now())
      let result = try fixture.connection.execute(
        """
        SELECT oid::regclass::text FROM pg_class AS stored
        WHERE relkind IN ('r', 'p') AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
          AND NOT (relreplident = 'f'
                   OR relreplident = 'd' AND EXISTS (SELECT FROM pg_index WHERE indrelid = stored.oid AND indisprimary)
                   OR relreplident = 'i' AND EXISTS (SELECT FROM pg_index WHERE indrelid = stored.oid AND indisreplident))
        ORDER BY 1
        """
      )
      #expect(try (0..<result.count).map { try result.string($0, 0) } == [])
      #expect(try fixture.base.number("SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p')") > 20)
    }
  }

  @Test(
    "while a publication of all tables is there, levels are folded, old partitions go and keys are purged"
  )
  func publication() throws {
    try F.with(horizonDays: 20) { fixture throws in
      try fixture.connection.run(script: "CREATE PUBLICATION everything FOR ALL TABLES")
      let today = try fixture.today()
      try fixture.count([(1, "a", today - 19 * F.day), (2, "b", today - 3 * F.day), (1, "a", today)])
      try fixture.connection.run(script: "UPDATE detection SET ingested_at = detected_at")
      // A batch that comes while a level is folded lists its changes.
      var fold = try #require(try Fold(fixture.store, .hour, until: .agreed(today)))
      while try fold.sumChunk() {}
      try fixture.count([(1, "a", today - 3 * F.day)])
      #expect(try fixture.base.number("SELECT count(*) FROM rollup_change") == 1)
      #expect(try fold.finish())

      var policy = RetentionPolicy()
      policy.dedupHorizon = 5 * 86_400
      policy.minutes = 5 * 86_400
      var retention = Retention(policy)
      let report = try retention.run(on: fixture.connection, at: fixture.now())
      #expect(report.droppedPartitions.count > 10 && report.purgedDetections == 1)
      try fixture.compare(.between(nil, nil), location: nil)
    }
  }
}
