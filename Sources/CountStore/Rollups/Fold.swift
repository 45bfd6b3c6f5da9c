public import Counting
import Postgres

/// One fold: the sums of a level for the time from its mark up to a later one, made while batches go on counting.
///
/// Its steps are transactions of their own, to be taken in this order: `init`, `sumChunk` until it answers false, then
/// `takeInChanges` and `finish` until that answers true. Whatever ends a fold in between costs nothing but the
/// repetition: what it wrote lies above the mark, where nothing reads it, and the next fold overwrites it.
/// docs/decisions/rollups.md goes through the interleavings. One fold at a time: hold `CountStore.lockMaintenance()`.
public struct Fold {
  private let store: CountStore
  /// What is folded.
  public let level: RollupLevel
  /// The mark as it is.
  public let from: Timestamp
  /// The mark to be.
  public let to: Timestamp
  /// Where the next chunk is looked for.
  private var cursor: (time: Int64, afterLocation: Int64?)
  /// Rows of the level that were written by `sumChunk`.
  public private(set) var rows = 0
  private var changesUnderLock = Self.fewChanges

  private var connection: Connection { store.connection }
  private var unit: String { level.rawValue }

  /// Locations whose sums one transaction writes.
  private static let locationsPerChunk: Int64 = 200
  /// Listed changes that are few enough to be taken in under the exclusive lock, which takes 5 µs each.
  private static let fewChanges: Int64 = 4000

  /// Announces the fold, so that batches list what they change below `to` from now on: under the exclusive lock, as
  /// a batch that has read the older announcement must have ended before anything is summed.
  ///
  /// - Parameter until: how far to fold at most; whole units, and what the finer level covers, are taken of it.
  /// - Returns: nil when there is nothing to fold.
  /// - Throws: `PostgresError`; SQLSTATE 55P03 when the batches in flight do not end in time.
  public init?(_ store: CountStore, _ level: RollupLevel, until: AgreedTime) throws(PostgresError) {
    // Asked first without the lock, which holds up the batches.
    guard let wanted = try store.rollupMarks().foldEnd(level, until: until.time)?.microseconds else {
      return nil
    }
    let from = try store.exclusively(CountStore.Lock.rollup) { connection throws(PostgresError) in
      let result = try connection.execute(
        """
        UPDATE rollup_mark SET folding_until = greatest(folding_until, \(timestamp: wanted))
        WHERE level = \(level.rawValue) AND folded_until < \(timestamp: wanted)
        RETURNING folded_until, folding_until
        """
      )
      return result.count == 0 ? nil : (try result.timestamp(0, 0), try result.timestamp(0, 1))
    }
    guard let (folded, folding) = from else { return nil }
    self.store = store
    self.level = level
    self.from = Timestamp(microseconds: folded)
    self.to = Timestamp(microseconds: folding)
    cursor = (folded, nil)
  }

  /// Sums one unit of time of some locations, in one snapshot: the finer level's counts, while the listed changes that
  /// this snapshot shows are struck off, as the sums contain them.
  /// - Returns: false when there was nothing left to sum.
  /// - Throws: `PostgresError`.
  public mutating func sumChunk() throws(PostgresError) -> Bool {
    if cursor.afterLocation == nil {
      guard let start = try nextUnit(from: cursor.time) else { return false }
      cursor.time = start
    }
    let (start, after) = (cursor.time, cursor.afterLocation)
    let (written, last) = try connection.transaction(isolation: .repeatableRead) {
      connection throws(PostgresError) in try write(connection, start: start, after: after)
    }
    rows += written
    if let last {
      cursor.afterLocation = last
    } else {
      cursor = (try end(ofUnitAt: start), nil)
    }
    return true
  }

  /// - Returns: the rows written, and the last location unless it was the last of all.
  private func write(_ connection: Connection, start: Int64, after: Int64?) throws(PostgresError)
    -> (rows: Int, last: Int64?)
  {
    let page = try connection.execute(
      """
      SELECT geographical_location_oid FROM counted_location
      WHERE \(after == nil) OR geographical_location_oid > \(after ?? 0)
      ORDER BY 1 LIMIT \(Self.locationsPerChunk)
      """
    )
    var locations: [Int64] = []
    for row in 0..<page.count { locations.append(try page.int64(row, 0)) }
    let end = try end(ofUnitAt: start)
    // Left by a fold that did not come to its end.
    _ = try connection.execute(
      """
      DELETE FROM \(unescaped: level.table)
      WHERE geographical_location_oid = ANY (\(locations)) AND window_start = \(timestamp: start)
      """
    )
    _ = try connection.execute(
      """
      DELETE FROM rollup_change
      WHERE level = \(unit) AND geographical_location_oid = ANY (\(locations)) AND window_start = \(timestamp: start)
      """
    )
    let sums = try connection.execute(
      """
      INSERT INTO \(unescaped: level.table) (geographical_location_oid, window_start, item_id, item_count)
      SELECT location, \(timestamp: start), item_id, item_count
      FROM unnest(\(locations)) AS page(location), LATERAL (
        SELECT item_id, sum(item_count)::bigint AS item_count FROM \(unescaped: level.finerTable)
        WHERE geographical_location_oid = location
          AND window_start >= \(timestamp: start) AND window_start < \(timestamp: end)
        GROUP BY item_id ORDER BY item_id) AS sums
      """
    )
    return (sums.affectedRows, page.count < Int(Self.locationsPerChunk) ? nil : locations.last)
  }

  /// The first unit that has anything to sum: there may be years between two.
  private func nextUnit(from time: Int64) throws(PostgresError) -> Int64? {
    let result = try connection.execute(
      """
      SELECT date_trunc(\(unit), min(first), 'UTC') FROM counted_location, LATERAL (
        SELECT min(window_start) AS first FROM \(unescaped: level.finerTable) AS finer
        WHERE finer.geographical_location_oid = counted_location.geographical_location_oid
          AND window_start >= \(timestamp: time) AND window_start < \(timestamp: to.microseconds)) AS firsts
      """
    )
    return try result.optionalTimestamp(0, 0)
  }

  private func end(ofUnitAt start: Int64) throws(PostgresError) -> Int64 {
    try connection.execute("SELECT \(timestamp: start) + ('1 ' || \(unit))::interval").timestamp(0, 0)
  }

  /// Takes in the changes that have been listed since their chunk was summed, so that few are left for `finish`.
  /// - Returns: how many there were.
  /// - Throws: `PostgresError`.
  @discardableResult
  public func takeInChanges() throws(PostgresError) -> Int {
    let result = try connection.execute(
      """
      WITH taken AS (
        DELETE FROM rollup_change WHERE level = \(unit)
        RETURNING geographical_location_oid, window_start, item_id, item_count),
      added AS (
        INSERT INTO \(unescaped: level.table) AS stored
        SELECT geographical_location_oid, window_start, item_id, sum(item_count)::bigint FROM taken
        GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        ON CONFLICT (geographical_location_oid, window_start, item_id)
        DO UPDATE SET item_count = stored.item_count + excluded.item_count)
      SELECT count(*) FROM taken
      """
    )
    return Int(try result.int64(0, 0))
  }

  /// Takes in the last changes and moves the mark, while no batch runs: from now on each batch keeps the level up to
  /// date itself. When too many changes were listed meanwhile, it lets the batches go on instead, and will bear
  /// twice as many the next time.
  /// - Returns: whether the fold is done; if not, take in the changes and try again.
  /// - Throws: `PostgresError`; SQLSTATE 55P03 when the batches in flight do not end in time.
  public mutating func finish() throws(PostgresError) -> Bool {
    let few = changesUnderLock
    let isDone = try store.exclusively(CountStore.Lock.rollup) { connection throws(PostgresError) in
      let left = try connection.execute(
        "SELECT count(*) FROM (SELECT FROM rollup_change WHERE level = \(unit) LIMIT \(few + 1)) AS listed"
      )
      guard try left.int64(0, 0) <= few else { return false }
      try takeInChanges()
      _ = try connection.execute(
        "UPDATE rollup_mark SET folded_until = folding_until WHERE level = \(unit)"
      )
      return true
    }
    if !isDone { changesUnderLock *= 2 }
    return isDone
  }
}

extension CountStore {
  /// Marks the pages that a fold has filled as visible to all, without which the next index-only scans would look into
  /// the table for each row. (Autovacuum does it too, but later.)
  func vacuum(after fold: Fold) throws(PostgresError) {
    guard fold.rows > 0 else { return }
    let tables = try connection.execute(
      """
      SELECT relname::text FROM pg_class LEFT JOIN pg_inherits ON oid = inhrelid,
           substring(pg_get_expr(relpartbound, oid) FROM 'FROM \\(''([^'']*)''') AS start,
           substring(pg_get_expr(relpartbound, oid) FROM 'TO \\(''([^'']*)''') AS stop
      WHERE (oid = \(fold.level.table)::regclass AND relkind = 'r' OR inhparent = \(fold.level.table)::regclass)
        AND coalesce(start::timestamptz < \(timestamp: fold.to.microseconds), true)
        AND coalesce(stop::timestamptz > \(timestamp: fold.from.microseconds), true)
      """
    )
    for row in 0..<tables.count {
      let sql: Query = "VACUUM (TRUNCATE false) \(identifier: try tables.string(row, 0))"
      try connection.run(script: sql.sql)
    }
  }

  /// Folds a level as far as it goes. Hold `lockMaintenance()`.
  /// - Parameter isStopping: asked between the steps; the next fold starts again at this one's mark.
  /// - Returns: the finished fold, or nil when there was nothing to do or it was stopped.
  /// - Throws: `PostgresError`.
  public func fold(_ level: RollupLevel, until: AgreedTime, isStopping: () -> Bool = { false })
    throws(PostgresError) -> Fold?
  {
    guard var fold = try Fold(self, level, until: until) else { return nil }
    while try fold.sumChunk() {
      if isStopping() { return nil }
    }
    var refusals = 0
    while !isStopping() {
      try fold.takeInChanges()
      do {
        if try fold.finish() { return fold }
      } catch  where error.sqlState == .lockNotAvailable && refusals < 5 {
        // A long batch blocks it; all that was summed would have to be summed again.
        refusals += 1
      }
    }
    return nil
  }
}
