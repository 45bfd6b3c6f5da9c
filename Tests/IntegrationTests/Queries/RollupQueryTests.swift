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

  /// Where a month's newest partition of hours is nearly empty, half full, and full; the minutes of a day likewise.
  enum End: String, CaseIterable, CustomTestStringConvertible {
    case monthsFirstNight = "02:30 on a month's first day"
    case midMonth = "13:37 on a month's 16th day"
    case monthsLastMinute = "23:59 on a month's last day"

    var testDescription: String { rawValue }

    /// Of the month before the last one: the same on every day on which the test runs.
    fileprivate func time(_ fixture: RollupFixture) throws -> Int64 {
      let offset: Query =
        switch self {
        case .monthsFirstNight: "interval '2 hours 30 minutes'"
        case .midMonth: "interval '15 days 13 hours 37 minutes'"
        case .monthsLastMinute: "interval '1 month' - interval '1 minute'"
        }
      let time = try fixture.connection.execute(
        """
        SELECT (date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC') - interval '2 months' + \(offset))
               AT TIME ZONE 'UTC'
        """
      )
      return try time.timestamp(0, 0)
    }
  }

  /// Two locations with every item in every minute of the last three days before `end`, and in every hour and day
  /// before that, for three years; folded up to the last whole hour.
  private func fill(_ fixture: F, end: Int64) throws -> (start: Int64, minutes: Int64) {
    let today = end.floored(to: F.day)
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
    try insert("window_count", minutes, end, every: "1 minute")
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
      let fold = try fixture.store.fold(level, until: .agreed(end))
      if let fold { try fixture.store.vacuum(after: fold) }
    }
    try fixture.connection.run(script: "VACUUM ANALYZE")
    return (start, minutes)
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

  /// The tables that PostgreSQL rightly reads whole: an index would cost more than the few pages there are.
  private func smallTables(_ fixture: F) throws -> Set<String> {
    let result = try fixture.connection.execute(
      """
      SELECT relname::text FROM pg_class
      WHERE relkind = 'r' AND relname LIKE 'window_count%'
        AND pg_relation_size(oid) <= 8 * current_setting('block_size')::bigint
      """
    )
    return try Set((0..<result.count).map { row throws in try result.string(row, 0) })
  }

  @Test(
    "at most 120,000 rows with 500 items in every window, read from the coarser levels' indexes alone",
    arguments: End.allCases
  )
  func bounded(_ moment: End) throws {
    try F.with(horizonDays: 170) { fixture throws in
      let end = try moment.time(fixture)
      let (start, minutes) = try fill(fixture, end: end)
      let small = try smallTables(fixture)
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
          guard let table = scan.line.firstMatch(of: /\ on (window_count\w*)/) else { continue }
          #expect(scan.line.contains("Index Only Scan") || small.contains(String(table.1)), "\(scan.line)")
        }
      }
      // The bound is not met by chance.
      #expect(most > Self.bound / 4)
    }
  }
}
