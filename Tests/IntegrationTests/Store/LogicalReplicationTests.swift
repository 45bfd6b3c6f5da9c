@testable import CountStore
import Counting
import Postgres
import TestSupport
import Testing

@Suite("a logical subscriber has what its publisher has")
struct LogicalReplicationTests {
  private typealias F = RollupFixture

  /// The procedure of docs/operations.md, by the same statements.
  private static func prepare(_ subscriber: Connection) throws {
    try subscriber.run(
      script: """
        TRUNCATE rollup_mark, schema_migration;
        CREATE TABLE window_count_rest PARTITION OF window_count DEFAULT;
        CREATE TABLE window_count_hour_rest PARTITION OF window_count_hour DEFAULT;
        """
    )
  }

  @Test("after counting, folding and retention, every level that is kept is the same on both sides")
  func replication() throws {
    let cluster = try PostgresCluster(fsync: false, settings: ["wal_level": "logical"])
    defer { cluster.remove() }
    let server = try Connection(ConnectionOptions(url: cluster.url()))
    try server.run(script: "CREATE DATABASE publisher")
    try server.run(script: "CREATE DATABASE subscriber")
    let fixture = try F(url: cluster.url(database: "publisher"), horizonDays: 20)
    let today = try fixture.today()
    // Before the subscription: these come by its first copy.
    try fixture.count([(1, "a", today - 19 * F.day), (2, "b", today - 3 * F.day)])
    _ = try fixture.store.importLocations([Location(oid: 1, name: "Gate A")], replace: false, dryRun: false)

    let subscriber = try Connection(ConnectionOptions(url: cluster.url(database: "subscriber")))
    _ = try CountStore(subscriber).migrate()
    try Self.prepare(subscriber)
    try fixture.connection.run(
      script: "CREATE PUBLICATION everything FOR ALL TABLES WITH (publish_via_partition_root = true)"
    )
    // Both on one server: the slot is made apart, as CREATE SUBSCRIPTION would wait for its own transaction.
    _ = try fixture.connection.execute("SELECT pg_create_logical_replication_slot('subscriber', 'pgoutput')")
    let origin = cluster.url(database: "publisher")
    try subscriber.run(
      script: """
        CREATE SUBSCRIPTION subscriber CONNECTION '\(origin)' PUBLICATION everything
        WITH (create_slot = false, slot_name = 'subscriber')
        """
    )
    defer {
      try? subscriber.run(
        script: """
          ALTER SUBSCRIPTION subscriber DISABLE;
          ALTER SUBSCRIPTION subscriber SET (slot_name = NONE);
          DROP SUBSCRIPTION subscriber
          """
      )
    }
    try waitUntil("all tables are copied", within: .seconds(60)) {
      try subscriber.execute(
        "SELECT count(*) > 20 AND bool_and(srsubstate = 'r') FROM pg_subscription_rel"
      ).bool(0, 0)
    }

    try fixture.count([(1, "a", today - 2 * F.day), (2, "c", today - F.day), (1, "a", today)])
    var fold = try #require(try Fold(fixture.store, .hour, until: .agreed(today)))
    while try fold.sumChunk() {}
    try fixture.count([(1, "a", today - 3 * F.day), (3, "d", today - 18 * F.day)])
    #expect(try fold.finish())
    try fixture.connection.run(script: "UPDATE detection SET ingested_at = detected_at")
    var policy = RetentionPolicy()
    policy.dedupHorizon = 5 * 86_400
    policy.minutes = 5 * 86_400
    var retention = Retention(policy)
    let report = try retention.run(on: fixture.connection, at: fixture.now())
    #expect(report.droppedPartitions.count > 10 && report.purgedDetections == 2)
    try fixture.count([(3, "d", today - F.day)])

    try caughtUp(fixture.connection, subscriber)
    let published = try fixture.connection.execute(
      """
      SELECT tablename::text FROM pg_publication_tables
      WHERE tablename NOT IN ('schema_migration', 'window_count', 'window_count_hour')
      """
    )
    #expect(published.count > 15)
    for row in 0..<published.count {
      try compare(try published.string(row, 0), fixture.connection, subscriber)
    }
    // Dropping a partition is no change of rows: what is older than the mark that came over is the subscriber's to
    // delete.
    for (table, level) in [("window_count", "minute"), ("window_count_hour", "hour")] {
      try subscriber.run(
        script: """
          DELETE FROM \(table) WHERE window_start < (SELECT kept_from FROM rollup_mark WHERE level = '\(level)')
          """
      )
      try compare(table, fixture.connection, subscriber)
    }
    let everything = TopItemsQuery(
      locations: [],
      n: 100,
      range: .between(nil, nil),
      grouping: .all,
      maximumRows: 1000
    )
    #expect(
      try CountStore(subscriber).topItems(everything).rows
        == CountStore(fixture.connection).topItems(everything).rows
    )
  }

  private func caughtUp(_ publisher: Connection, _ subscriber: Connection) throws {
    let end = try publisher.execute("SELECT pg_current_wal_lsn()::text").string(0, 0)
    try waitUntil("the subscriber has caught up", within: .seconds(60)) {
      let result = try publisher.execute(
        """
        SELECT coalesce(bool_and(confirmed_flush_lsn >= \(end)::pg_lsn), false) FROM pg_replication_slots
        WHERE slot_name = 'subscriber'
        """
      )
      return try result.bool(0, 0)
    }
  }

  private func compare(_ table: String, _ publisher: Connection, _ subscriber: Connection) throws {
    let digest: Query =
      """
      SELECT count(*), coalesce(md5(string_agg(stored::text, E'\\n' ORDER BY stored::text)), '')
      FROM \(identifier: table) AS stored
      """
    let ours = try publisher.execute(digest)
    let theirs = try subscriber.execute(digest)
    #expect(try ours.int64(0, 0) == theirs.int64(0, 0), "\(table)")
    #expect(try ours.string(0, 1) == theirs.string(0, 1), "\(table)")
  }
}
