import Counting
import Postgres

/// A level that is cut into partitions by time.
struct PartitionedTable: Sendable {
  let name: String
  /// As PostgreSQL's `date_trunc` calls it.
  let unit: String
  /// How `to_char` writes a partition's time at the end of its name.
  let format: String
  let storage: String

  /// Minutes, by day. Room on each page, so that an increment stays a heap-only (HOT) update.
  static let minutes = PartitionedTable(
    name: "window_count",
    unit: "day",
    format: "YYYYMMDD",
    storage:
      "fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05"
  )
  /// Hours, by month. Vacuumed by the number of new rows, for the sake of index-only scans.
  static let hours = PartitionedTable(
    name: "window_count_hour",
    unit: "month",
    format: "YYYYMM",
    storage: """
      autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 20000, \
      autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000
      """
  )
  static let all = [minutes, hours]

  /// The partition of all that is older than partitions are made for.
  var past: String { "\(name)_past" }
}

extension CountStore {
  /// For how many days back there is a partition each; older days share one. A longer deduplication horizon is
  /// absurd, and must not fill the database with empty tables.
  static let partitionedDays: Int64 = 400
  /// More missing partitions than five years of days mean that a clock is wrong.
  static let missingAtMost = 2000
  /// How far ahead of the clock partitions are made.
  static let partitionsAheadDays: Int64 = 7

  /// Makes the partitions that are missing between the deduplication floor and a while ahead of now, or of `through`.
  ///
  /// It does not wait for readers or batches: a table is made by itself and then attached (`CREATE … PARTITION OF`
  /// would wait for each reader's transaction, and keep new ones waiting).
  /// - Parameter from: a time from which they are made where the floor lies above it.
  /// - Parameter through: a time that must be covered, too; not further ahead than the allowed skew can be (a year).
  /// - Parameter thoroughly: look at every partition; else, where the first and the last are there, so are the others.
  /// - Returns: the time up to which there are partitions.
  /// - Throws: `PostgresError`; SQLSTATE 55P03 when another session changes the tables for long.
  @discardableResult
  public func ensurePartitions(
    from: Timestamp? = nil,
    through: Timestamp? = nil,
    thoroughly: Bool = false
  ) throws(PostgresError) -> Timestamp {
    let (end, isCovered) = try partitionsEnd(from: from, through: through)
    // Almost always there is nothing to make: then not even a lock is taken. They are made from the oldest to the
    // newest, so that the last one is there only if all are.
    if isCovered, !thoroughly { return Timestamp(microseconds: end) }
    var missing = try missingPartitions(from: from, until: end)
    guard missing.count <= Self.missingAtMost else {
      // Counting goes on in those that are there, which reach days ahead of a clock that was right until now.
      if let covered = try newestPartitionEnd(), (through ?? covered) <= covered { return covered }
      throw PostgresError(
        .protocol,
        "\(missing.count) partitions are missing between the deduplication floor and the database's clock; is it right?"
      )
    }
    while !missing.isEmpty {
      let some = Array(missing.prefix(50))
      try connection.transaction { connection throws(PostgresError) in
        try connection.run(script: "SET LOCAL lock_timeout = '3s'")
        _ = try connection.execute("SELECT pg_advisory_xact_lock(\(Lock.partitions))")
        let still = Set(try missingPartitions(from: from, until: end).map(\.name))
        for partition in some where still.contains(partition.name) { try make(partition) }
      }
      missing.removeFirst(some.count)
    }
    return Timestamp(microseconds: end)
  }

  /// What `ensurePartitions` would make now; none while the clock is years ahead.
  /// - Throws: `PostgresError`.
  func partitionsToMake() throws(PostgresError) -> [RetentionState.Partition] {
    let missing = try missingPartitions(from: nil, until: partitionsEnd(from: nil, through: nil).end)
    guard missing.count <= Self.missingAtMost else { return [] }
    return missing.map { missing in
      RetentionState.Partition(
        name: missing.name,
        parent: missing.table.name,
        start: missing.start,
        stop: missing.stop,
        exists: false
      )
    }
  }

  /// Up to when there are to be partitions, and whether the first and the last are there.
  private func partitionsEnd(from: Timestamp?, through: Timestamp?) throws(PostgresError) -> (
    end: Int64, isCovered: Bool
  ) {
    let until = try connection.execute(
      """
      SELECT stop,
             to_regclass('window_count_' || to_char(stop - interval '1 day', 'YYYYMMDD')) IS NOT NULL
             AND to_regclass('window_count_hour_' || to_char(stop - interval '1 day', 'YYYYMM')) IS NOT NULL
             AND (to_regclass('window_count_past') IS NOT NULL
                  OR to_regclass('window_count_' || to_char(floor_at, 'YYYYMMDD')) IS NOT NULL)
             AND (to_regclass('window_count_hour_past') IS NOT NULL
                  OR to_regclass('window_count_hour_' || to_char(floor_at, 'YYYYMM')) IS NOT NULL)
      FROM \(Self.partitionsFrom(from)) AS floor_at,
           greatest(clock_timestamp(), least(
             coalesce(\(timestamp: through?.microseconds), clock_timestamp()),
             clock_timestamp() + interval '400 days')) AS clock,
           LATERAL (SELECT date_trunc('day', clock, 'UTC')
                           + make_interval(days => \(Int32(Self.partitionsAheadDays) + 1))) AS bound(stop)
      """
    )
    return (try until.timestamp(0, 0), try until.bool(0, 1))
  }

  /// The end of the newest partition of minutes; nil where there is none.
  private func newestPartitionEnd() throws(PostgresError) -> Timestamp? {
    let result = try connection.execute(
      """
      SELECT max(substring(pg_get_expr(relpartbound, oid) FROM 'TO \\(''([^'']*)''')::timestamptz)
      FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = \(PartitionedTable.minutes.name)::regclass
      """
    )
    return try result.optionalTimestamp(0, 0).map(Timestamp.init(microseconds:))
  }

  private struct MissingPartition {
    var table: PartitionedTable
    var name: String
    /// As SQL.
    var from: String
    var to: String
    var start: Timestamp?
    var stop: Timestamp
  }

  private static func partitionsFrom(_ time: Timestamp?) -> Query {
    """
    least(\(timestamp: time?.microseconds),
          coalesce((SELECT floor_at FROM dedup_floor), clock_timestamp() - interval '7 days'))
    """
  }

  private func missingPartitions(from: Timestamp?, until end: Int64) throws(PostgresError)
    -> [MissingPartition]
  {
    var missing: [MissingPartition] = []
    for table in PartitionedTable.all {
      let result = try connection.execute(
        """
        WITH bounds AS (
          SELECT date_trunc(\(table.unit), floor_at, 'UTC') AS floor_at,
                 date_trunc(\(table.unit), clock_timestamp() - make_interval(days => \(Int32(Self.partitionedDays))), 'UTC')
                   AS oldest
          FROM \(Self.partitionsFrom(from)) AS floor_at),
        existing AS (
          SELECT relname::text AS name,
                 substring(pg_get_expr(relpartbound, oid) FROM 'FROM \\(''([^'']*)''')::timestamptz AS start,
                 substring(pg_get_expr(relpartbound, oid) FROM 'TO \\(''([^'']*)''')::timestamptz AS stop
          FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = \(table.name)::regclass),
        -- Where the shared partition of the past ends, or would have to; NULL when none is needed.
        past AS (
          SELECT coalesce((SELECT stop FROM existing WHERE start IS NULL),
                          CASE WHEN floor_at < least(oldest, (SELECT min(start) FROM existing))
                               THEN least(oldest, (SELECT min(start) FROM existing)) END) AS stop
          FROM bounds),
        wanted AS (
          SELECT \(table.name) || '_' || to_char(start, \(table.format)) AS name, start,
                 start + ('1 ' || \(table.unit))::interval AS stop
          FROM bounds, past, generate_series(greatest(floor_at, past.stop), \(timestamp: end) - interval '1 us',
                                             ('1 ' || \(table.unit))::interval) AS start
          UNION ALL
          SELECT \(table.past), NULL, stop FROM past WHERE stop IS NOT NULL)
        SELECT name, coalesce(quote_literal(start), 'MINVALUE'), quote_literal(stop), start, stop
        FROM wanted WHERE NOT EXISTS (SELECT FROM existing WHERE existing.name = wanted.name)
        ORDER BY start NULLS FIRST
        """
      )
      for row in 0..<result.count {
        missing.append(
          MissingPartition(
            table: table,
            name: try result.string(row, 0),
            from: try result.string(row, 1),
            to: try result.string(row, 2),
            start: try result.optionalTimestamp(row, 3).map(Timestamp.init(microseconds:)),
            stop: Timestamp(microseconds: try result.timestamp(row, 4))
          )
        )
      }
    }
    return missing
  }

  private func make(_ partition: MissingPartition) throws(PostgresError) {
    let (table, name) = (partition.table, partition.name)
    // Attaching scans the table for rows that do not belong; this one has none.
    try connection.run(
      script: """
        CREATE TABLE \(name) (LIKE \(table.name) INCLUDING ALL) WITH (\(table.storage));
        ALTER TABLE \(table.name) ATTACH PARTITION \(name) FOR VALUES FROM (\(partition.from)) TO (\(partition.to))
        """
    )
  }
}
