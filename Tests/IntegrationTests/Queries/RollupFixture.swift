@testable import CountStore
import Counting
import Postgres
import TestSupport
import Testing

/// A database with a claim and a naive count of all that was applied: whatever the levels do, answers must equal it.
final class RollupFixture {
  static let minute: Int64 = 60_000_000
  static let hour = 60 * minute
  static let day = 24 * hour

  let base: CountStoreFixture
  /// Set up as the server's sessions are.
  let reader: Connection
  private var claim: PartitionClaim
  private var nextOid: Int64 = 1
  /// Location, minute, item to count; plain arrays and sums, none of the product's code.
  private(set) var truth: [(location: Int64, window: Int64, item: String, count: Int64)] = []

  var store: CountStore { base.store }
  var connection: Connection { base.connection }

  init(url: String, horizonDays: Int64) throws {
    base = try CountStoreFixture(url: url)
    reader = try CountStoreFixture.connect(url, CountStore.readerSettings)
    let request = ClaimRequest(key: CountStoreFixture.key(0), heldEpoch: nil, mayTake: true, lowWatermark: 0)
    claim = try #require(
      try base.store.claim([request], dedupHorizonSeconds: horizonDays * 86_400).claims.first
    )
  }

  static func with<T>(horizonDays: Int64 = 7, _ body: (RollupFixture) throws -> T) throws -> T {
    try TestDatabase.withDatabase { url in try body(RollupFixture(url: url, horizonDays: horizonDays)) }
  }

  /// The present, as retention believes it.
  func now() throws -> AgreedTime { try AgreedTime.current(connection) }

  /// Midnight (UTC) of the day that the database's clock shows.
  func today() throws -> Int64 {
    try connection.execute("SELECT date_trunc('day', clock_timestamp(), 'UTC')").timestamp(0, 0)
  }

  /// Counts detections at these times (microseconds since 1970) in one batch.
  func count(_ seen: [(location: Int64, item: String, at: Int64)]) throws {
    let detections = seen.enumerated().map { index, seen in
      CountStoreFixture.Seen(
        oid: nextOid + Int64(index),
        location: seen.location,
        item: seen.item,
        at: seen.at - base.origin
      )
    }
    nextOid += Int64(seen.count)
    let batch = base.batch(claim, detections)
    let outcome = try base.apply(batch)
    guard outcome.isCommitted else { throw TestSupportError("the batch was not committed: \(outcome)") }
    claim = base.after(batch)
    for seen in seen {
      truth.append((seen.location, seen.at.floored(to: Self.minute), seen.item, 1))
    }
  }

  /// All items and counts in a range, from the store and from the naive count.
  func compare(_ range: TopItemsRange, location: Int64?, _ comment: String = "") throws {
    let query = TopItemsQuery(
      locations: location.map { [$0] } ?? [],
      n: 1000,
      range: range,
      grouping: .all,
      maximumRows: 100_000
    )
    let answer = try CountStore(reader).topItems(query)
    let from = answer.from?.microseconds ?? .min
    let to = answer.to?.microseconds ?? .max
    var sums: [String: Int64] = [:]
    for row in truth
    where row.window >= from && row.window < to && (location == nil || row.location == location) {
      sums[row.item, default: 0] += row.count
    }
    let stored = Dictionary(uniqueKeysWithValues: answer.rows.map { ($0.itemName, $0.count) })
    #expect(stored == sums, "\(range), location \(location ?? -1), \(comment)")
  }

  /// How many rows of a level below its mark are not the sum of the minutes (which must all be there still).
  func wrongRows(_ level: RollupLevel) throws -> Int64 {
    let unit = level.rawValue
    let sums: Query = """
      SELECT geographical_location_oid, date_trunc(\(unit), window_start, 'UTC'), item_id, sum(item_count)::bigint
      FROM window_count WHERE window_start < (SELECT folded_until FROM rollup_mark WHERE level = \(unit))
      GROUP BY 1, 2, 3
      """
    let rows: Query = """
      SELECT geographical_location_oid, window_start, item_id, item_count FROM \(unescaped: level.table)
      WHERE window_start < (SELECT folded_until FROM rollup_mark WHERE level = \(unit))
      """
    return try base.number(
      """
      SELECT (SELECT count(*) FROM (\(sums) EXCEPT ALL \(rows)) AS missing)
           + (SELECT count(*) FROM (\(rows) EXCEPT ALL \(sums)) AS wrong)
      """
    )
  }

  func mark(_ level: RollupLevel) throws -> Int64 { try store.rollupMarks()[level].foldedUntil.microseconds }

  /// Folds every level as far as it goes.
  func foldAll(until: Int64) throws {
    for level in RollupLevel.allCases { _ = try store.fold(level, until: .agreed(until)) }
  }
}

extension Int64 {
  /// The multiple of `unit` that is not above it.
  func floored(to unit: Int64) -> Int64 { self - (self % unit + unit) % unit }
}
