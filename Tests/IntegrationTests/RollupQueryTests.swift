import Counting
import Postgres
import TestSupport
import Testing

@testable import CountStore

@Suite("a question reads a bounded number of rows, whatever its range")
struct RollupQueryTests {
  private typealias F = RollupFixture

  private static let items: Int64 = 20
  /// 120,000 rows with 500 items in every window, as the promise is.
  private static let bound = 120_000 / 500 * items

  /// Two locations with every item in every minute of the last three days, and in every hour and day before that, for
  /// three years; folded up to the last whole hour.
  private func fill(_ fixture: F) throws -> (start: Int64, minutes: Int64, end: Int64) {
    let now = try fixture.connection.execute("SELECT date_trunc('minute', clock_timestamp())").timestamp(0, 0)
    let today = try fixture.today()
    let (start, hours, minutes) = (today - 1100 * F.day, today - 70 * F.day, today - 3 * F.day)
    for item in 0..<Self.items { _ = try fixture.store.internItems([Array("item \(item)".utf8)]) }
    func insert(_ table: String, _ from: Int64, _ to: Int64, every unit: String) throws {
      _ = try fixture.connection.execute(
        """
        INSERT INTO \(unescaped: table)
        SELECT location, time, item_id, 1 + item_id % 7
        FROM generate_series(\(timestamp: from), \(timestamp: to) - interval '1 us', \(unit)::interval) AS time,
             generate_series(1, 2) AS location, item
        """
      )
    }
    try insert("window_count", minutes, now, every: "1 minute")
    try insert("window_count_hour", hours, minutes, every: "1 hour")
    try insert("window_count_day", start, hours, every: "1 day")
    try fixture.connection.run(script: "INSERT INTO counted_location VALUES (1), (2)")
    _ = try fixture.connection.execute(
      """
      UPDATE rollup_mark SET
        folded_until = CASE level WHEN 'hour' THEN \(timestamp: minutes) WHEN 'day' THEN \(timestamp: hours) ELSE folded_until END,
        folding_until = CASE level WHEN 'hour' THEN \(timestamp: minutes) WHEN 'day' THEN \(timestamp: hours) ELSE folding_until END,
        kept_from = CASE level WHEN 'minute' THEN \(timestamp: minutes) WHEN 'hour' THEN \(timestamp: hours) ELSE kept_from END
      """
    )
    for level in RollupLevel.allCases {
      let fold = try fixture.store.fold(level, until: .agreed(now))
      if let fold { try fixture.store.vacuum(after: fold) }
    }
    try fixture.connection.run(script: "VACUUM ANALYZE")
    return (start, minutes, now)
  }

  /// The scans of a plan: which table, how many rows, how many of them were looked up in the table.
  private func scans(_ fixture: F, _ query: TopItemsQuery) throws -> [(line: String, rows: Int64)] {
    let explain: Query =
      "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) \(CountStore.statement(for: query))"
    let result = try fixture.reader.execute(explain)
    var scans: [(line: String, rows: Int64)] = []
    for row in 0..<result.count {
      let line = try result.string(row, 0)
      if line.contains("Scan using window_count") || line.contains("Heap Scan on window_count")
        || line.contains("Seq Scan on window_count")
      {
        guard let match = line.firstMatch(of: /actual rows=(\d+) loops=(\d+)/) else { continue }
        scans.append((line, (Int64(match.1) ?? 0) * (Int64(match.2) ?? 0)))
      } else if let match = line.firstMatch(of: /Heap Fetches: (\d+)/) {
        #expect(match.1 == "0", "after \(scans.last?.line ?? "")")
      }
    }
    return scans
  }

  @Test("at most 120,000 rows with 500 items in every window, read from the coarser levels' indexes alone")
  func bounded() throws {
    try F.with(horizonDays: 100) { fixture throws in
      let (start, minutes, end) = try fill(fixture)
      var random = SeededGenerator(seed: 11)
      var ranges: [(Int64, Int64)] = [
        (start, end), (end - F.hour, end), (end - F.day, end), (end - 365 * F.day, end),
      ]
      for _ in 0..<80 {
        let a = Int64.random(in: start...end, using: &random)
        ranges.append((a, .random(in: a...end, using: &random)))
        ranges.append((a, .random(in: minutes...end, using: &random)))
      }
      var most: Int64 = 0
      for (a, b) in ranges where a < b {
        let query = TopItemsQuery(
          locations: [1],
          n: 10,
          range: .between(Timestamp(microseconds: a), Timestamp(microseconds: b)),
          grouping: .location,
          maximumRows: 10
        )
        let scans = try scans(fixture, query)
        let rows = scans.reduce(0) { $0 + $1.rows }
        most = max(most, rows)
        #expect(rows <= Self.bound, "\(query.range): \(scans)")
        for scan in scans where !scan.line.contains("on window_count_2") && scan.rows > 0 {
          #expect(scan.line.contains("Index Only Scan"), "\(scan.line)")
        }
      }
      // The bound is not met by chance.
      #expect(most > Self.bound / 4)
    }
  }
}
