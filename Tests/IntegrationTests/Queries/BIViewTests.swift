import Counting
import OData
import Postgres
import TestSupport
import Testing

@testable import CountStore

@Suite("the views that BI tools read")
struct BIViewTests {
  private typealias F = RollupFixture

  private static let views: [(name: String, unit: Int64)] = [
    ("top_items_by_minute", F.minute), ("top_items_by_hour", F.hour), ("top_items_by_day", F.day),
  ]

  /// One ranked row of a view.
  private struct Row: Equatable {
    var location: Int64
    var start: Int64
    var rank: Int64
    var item: String
    var count: Int64
  }

  /// What a view must show, made of the naive counts alone.
  private func expected(_ fixture: F, unit: Int64, location: Int64?, from: Int64, to: Int64) -> [Row] {
    struct Place: Hashable {
      var location: Int64
      var start: Int64
    }
    var sums: [Place: [String: Int64]] = [:]
    for seen in fixture.truth {
      let start = seen.window.floored(to: unit)
      guard location == nil || seen.location == location, start >= from, start < to else { continue }
      sums[Place(location: seen.location, start: start), default: [:]][seen.item, default: 0] += seen.count
    }
    var rows: [Row] = []
    for (place, items) in sums {
      let ranked = items.sorted { a, b in
        a.value != b.value ? a.value > b.value : a.key.utf8.lexicographicallyPrecedes(b.key.utf8)
      }
      for (index, item) in ranked.enumerated() {
        rows.append(
          Row(
            location: place.location,
            start: place.start,
            rank: Int64(index + 1),
            item: item.key,
            count: item.value
          )
        )
      }
    }
    return rows.sorted { ($0.location, $0.start, $0.rank) < ($1.location, $1.start, $1.rank) }
  }

  private func shown(_ fixture: F, _ view: String, location: Int64?, from: Int64, to: Int64) throws -> [Row] {
    let result = try fixture.reader.execute(
      """
      SELECT geographical_location_oid, window_start, item_rank, item_name, item_count
      FROM bi.\(identifier: view)
      WHERE window_start >= \(timestamp: from) AND window_start < \(timestamp: to)
        AND (\(location)::bigint IS NULL OR geographical_location_oid = \(location)::bigint)
      ORDER BY 1, 2, 3
      """
    )
    var rows: [Row] = []
    for row in 0..<result.count {
      rows.append(
        Row(
          location: try result.int64(row, 0),
          start: try result.timestamp(row, 1),
          rank: try result.int64(row, 2),
          item: try result.string(row, 3),
          count: try result.int64(row, 4)
        )
      )
    }
    return rows
  }

  @Test(
    "each equals a ranked recount after every batch and at every step of every fold",
    arguments: [4, 5] as [UInt64]
  )
  func randomWalk(seed: UInt64) throws {
    try F.with(horizonDays: 30) { fixture throws in
      var random = SeededGenerator(seed: seed)
      let end = try fixture.today()
      let start = end - 20 * F.day
      var fold: Fold?
      var isSummed = false
      for step in 0..<90 {
        switch Int.random(in: 0..<10, using: &random) {
        case 0...3:
          try fixture.count(
            (0..<Int.random(in: 1...25, using: &random)).map { _ in
              let day = Int64.random(in: 0...20, using: &random)
              let at = start + day * F.day + .random(in: 0..<3 * F.hour, using: &random)
              let item = "item \(Int.random(in: 1...4, using: &random))"
              return (.random(in: 1...3, using: &random), item, min(at, end))
            }
          )
        case 4...8:
          if fold == nil {
            let level: RollupLevel = Bool.random(using: &random) ? .hour : .day
            let until = Int64.random(in: start...end, using: &random)
            fold = try Fold(fixture.store, level, until: .agreed(until))
            isSummed = false
          } else if !isSummed {
            isSummed = try fold?.sumChunk() == false
          } else if try fold?.finish() == true {
            fold = nil
          }
        default:
          if Int.random(in: 0..<4, using: &random) == 0 { fold = nil }
        }
        let bounds = (0..<2).map { _ in Int64.random(in: start...end + F.day, using: &random) }.sorted()
        let location = step % 3 == 0 ? nil : Int64.random(in: 1...3, using: &random)
        for (view, unit) in Self.views {
          let rows = try shown(fixture, view, location: location, from: bounds[0], to: bounds[1])
          let truth = expected(fixture, unit: unit, location: location, from: bounds[0], to: bounds[1])
          #expect(rows == truth, "\(view), seed \(seed), step \(step)")
        }
      }
    }
  }

  @Test("names are those of now, a location without one has NULL, and what retention has taken is not shown")
  func namesAndRetention() throws {
    try F.with { fixture throws in
      let today = try fixture.today()
      try fixture.count([(1, "a", today - 2 * F.day), (1, "a", today - F.day), (2, "b", today)])
      _ = try fixture.store.importLocations(
        [Location(oid: 1, name: "Gate A"), Location(oid: 9, name: "nothing yet")],
        replace: false,
        dryRun: false
      )
      let locations = try fixture.reader.execute("SELECT * FROM bi.locations ORDER BY 1")
      #expect(try (0..<3).map { try locations.int64($0, 0) } == [1, 2, 9])
      #expect(try (0..<3).map { try locations.optionalString($0, 1) } == ["Gate A", nil, "nothing yet"])
      let named = "SELECT count(*) FROM bi.top_items_by_day WHERE geographical_location = 'Gate A'" as Query
      #expect(try fixture.base.number(named) == 2)

      try fixture.foldAll(until: today)
      _ = try fixture.connection.execute(
        "UPDATE rollup_mark SET kept_from = \(timestamp: today - 36 * F.hour) WHERE level = 'minute'"
      )
      func rows(_ view: String) throws -> Int64 {
        try fixture.base.number("SELECT count(*) FROM bi.\(identifier: view)")
      }
      #expect(try rows("window_counts") == 2)
      #expect(try rows("top_items_by_minute") == 2)
      #expect(try rows("top_items_by_hour") == 3)
      #expect(try rows("top_items_by_day") == 3)
    }
  }

  /// Rows that the scans of a plan returned, from the tables of counts.
  private func rowsRead(_ fixture: F, _ query: Query) throws -> Int64 {
    let plan = try fixture.reader.execute(
      "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) \(query)"
    )
    var rows: Int64 = 0
    for row in 0..<plan.count {
      let line = try plan.string(row, 0)
      // A bitmap's index scan finds the rows that its heap scan then returns.
      guard line.contains("Scan"), line.contains(" window_count"), !line.contains("Bitmap Index Scan"),
        let match = line.firstMatch(of: /actual rows=(\d+) loops=(\d+)/)
      else { continue }
      rows += (Int64(match.1) ?? 0) * (Int64(match.2) ?? 0)
    }
    return rows
  }

  @Test("a condition on location and window_start reads the rows of its range, and no others")
  func bounded() throws {
    try F.with(horizonDays: 20) { fixture throws in
      let today = try fixture.today()
      let start = today - 5 * F.day
      for item in 0..<20 { _ = try fixture.store.internItems([Array("item \(item)".utf8)]) }
      // 20 items in every fifth minute of five days, at four locations: 115,200 rows of minutes.
      _ = try fixture.connection.execute(
        """
        INSERT INTO window_count
        SELECT location, time, item_id, 1 + item_id % 7
        FROM generate_series(\(timestamp: start), \(timestamp: today) - interval '1 us', interval '5 minutes') AS time,
             generate_series(1, 4) AS location, item
        """
      )
      try fixture.connection.run(
        script: """
          INSERT INTO counted_location SELECT generate_series(1, 4);
          INSERT INTO location SELECT oid, 'Gate ' || oid FROM generate_series(1, 4) AS oid
          """
      )
      // Hours up to 65 minutes ago, days up to yesterday.
      _ = try fixture.store.fold(.hour, until: .agreed(today - F.hour))
      _ = try fixture.store.fold(.day, until: .agreed(today - F.day))
      try fixture.connection.run(script: "VACUUM ANALYZE")

      let hours = today - 2 * F.day
      for place in ["geographical_location_oid = 3", "geographical_location = 'Gate 3'"] {
        func read(_ view: String, _ from: Int64, _ to: Int64) throws -> Int64 {
          try rowsRead(
            fixture,
            """
            SELECT * FROM bi.\(identifier: view)
            WHERE \(unescaped: place) AND window_start >= \(timestamp: from) AND window_start < \(timestamp: to)
              AND item_rank <= 10
            """
          )
        }
        // Twelve windows of minutes in an hour; four looks for the oldest and newest of what is not folded.
        #expect(try read("top_items_by_minute", hours, hours + F.hour) == 12 * 20, "\(place)")
        #expect(try read("top_items_by_hour", hours, hours + 6 * F.hour) <= 6 * 20 + 4, "\(place)")
        #expect(try read("top_items_by_hour", today - F.hour, today) <= 12 * 20 + 4, "\(place)")
        #expect(try read("top_items_by_day", start, start + 2 * F.day) <= 2 * 20 + 4, "\(place)")
        // The last day: 23 folded hours, and 12 windows of minutes.
        #expect(try read("top_items_by_day", today - F.day, today) <= (23 + 12) * 20 + 4, "\(place)")
      }
    }
  }
}
