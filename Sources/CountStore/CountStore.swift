import Counting
import Postgres

/// The product's tables: all SQL of the product but that of OData is in this module, in one extension for each subject.
///
/// A store belongs to one connection and so to one thread at a time.
public struct CountStore {
  package let connection: Connection

  /// A store on a connection that has no transaction open.
  public init(_ connection: Connection) {
    self.connection = connection
  }

  /// The keys of the advisory locks, taken in this order (after the rows of `ingest_offset`): maintenance,
  /// floor, rollup, revision.
  enum Lock {
    /// Shared by batches while they rely on the deduplication floor; exclusive to the session that raises it.
    static let floor: Int64 = 0x746f_7069_0001
    /// Shared by batches while they rely on the rollup marks; exclusive to the session that moves one.
    static let rollup: Int64 = 0x746f_7069_0003
    /// Held by the session that makes partitions, so that two workers do not make the same one.
    static let partitions: Int64 = 0x746f_7069_0004
    /// Held by a session that folds, drops or purges: one at a time across workers.
    static let maintenance: Int64 = 0x746f_7069_0005
    /// Makes revisions visible in the order of their numbers: the last lock of a transaction.
    static let revision: Int64 = 0x746f_7069_0002
  }

  /// The channel that announces each revision; `RevisionNotice` is its payload.
  public static let revisionChannel = "topitems_revision"
}

extension CountStore {
  /// Commits what batches only refer to, before them, without waiting for the disk: whatever transaction refers to it
  /// is behind it in the write-ahead log, and its own COMMIT waits for both.
  func commitAhead(_ queries: [Query]) throws(PostgresError) {
    do {
      _ = try connection.begin(running: ["SET LOCAL synchronous_commit = off"])
    } catch {
      connection.rollback()
      throw error
    }
    _ = try connection.commit(running: queries)
  }

  /// Numbers the transaction's change and announces it. Must come last: the lock is held until the commit.
  ///
  /// The number is at least the epoch in milliseconds, so that a failover which loses commits cannot reuse one.
  /// - Parameters:
  ///   - locations: those that changed; nil means that any may have.
  ///   - newestEvent: the latest event time by which a partition may have moved.
  /// - Returns: the new revision.
  /// - Throws: `PostgresError`.
  func recordRevision(locations: [Int64]?, newestEvent: Timestamp? = nil) throws(PostgresError) -> Int64 {
    let queries = Self.revisionQueries(locations: locations, newestEvent: newestEvent)
    return try connection.pipeline(queries).take(queries.count - 1).int64(0, 0)
  }

  /// The same as statements; the last one answers with the revision.
  static func revisionQueries(locations: [Int64]?, newestEvent: Timestamp?) -> [Query] {
    let value: Value = locations.map { .int64Array($0) } ?? .nullOf(.int64Array)
    let suffix = RevisionNotice.suffix(newestEvent: newestEvent, locations: locations)
    return [
      "SELECT pg_advisory_xact_lock(\(Lock.revision))",
      """
      WITH written AS (
        INSERT INTO revision (revision, locations)
        SELECT greatest((SELECT coalesce(max(revision), 0) + 1 FROM revision),
                        (extract(epoch FROM clock_timestamp()) * 1000)::bigint),
               \(value)::bigint[]
        RETURNING revision)
      SELECT revision, pg_notify(\(Self.revisionChannel), revision || \(suffix)) FROM written
      """,
    ]
  }

  /// Deletes revisions that no reader needs any more; the newest always stays. Their numbers do not show their age:
  /// after the database's clock was ahead for a while, they stay ahead.
  /// - Returns: how many rows went, at most `limit`.
  /// - Throws: `PostgresError`.
  @discardableResult
  public func trimRevisions(olderThanSeconds seconds: Int64 = 3600, at now: AgreedTime, limit: Int64 = 10_000)
    throws(PostgresError) -> Int
  {
    let result = try connection.execute(
      """
      DELETE FROM revision WHERE revision IN (
        SELECT revision FROM revision
        WHERE revision < (SELECT max(revision) FROM revision)
          AND committed_at < \(timestamp: now.ago(seconds).microseconds)
        ORDER BY revision LIMIT \(limit))
      """
    )
    return result.affectedRows
  }
}
