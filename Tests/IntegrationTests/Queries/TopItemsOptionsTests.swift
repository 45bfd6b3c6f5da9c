import CountStore
import Counting
import Postgres
import TestSupport
import Testing

@Suite("options of top lists, and series")
struct TopItemsOptionsTests {
  private typealias F = RollupFixture
  private typealias Ranked = (item: String, count: Int64)

  private static let items = ["a", "ab", "abc", "b", "ba", "\u{1F600}", "B", "=1+1"]

  /// Three days of few detections of few items, so that ties are common; older ones are folded.
  private func fill(_ fixture: F, seed: UInt64) throws -> (start: Int64, end: Int64) {
    var random = SeededGenerator(seed: seed)
    let today = try fixture.today()
    let (start, end) = (today - 3 * F.day, today)
    for _ in 0..<4 {
      try fixture.count(
        (0..<150).map { _ in
          (
            Int64.random(in: 1...3, using: &random), Self.items.randomElement(using: &random) ?? "a",
            .random(in: start..<end, using: &random)
          )
        }
      )
    }
    try fixture.count([(1, "a", end - 1)])
    try fixture.foldAll(until: today - F.day)
    return (start, end)
  }

  /// Every ranking of a span, by the naive count.
  private func rankings(_ fixture: F, _ query: TopItemsQuery, _ from: Int64, _ to: Int64) -> [Int64?:
    [Ranked]]
  {
    var sums: [Int64?: [String: Int64]] = [:]
    for row in fixture.truth where row.window >= from && row.window < to {
      guard query.locations.isEmpty || query.locations.contains(row.location) else { continue }
      sums[query.grouping == .all ? nil : row.location, default: [:]][row.item, default: 0] += row.count
    }
    return sums.mapValues { sums in
      sums.map { ($0.key, $0.value) }.sorted { a, b in
        a.1 != b.1 ? a.1 > b.1 : Array(a.0.utf8).lexicographicallyPrecedes(Array(b.0.utf8))
      }
    }
  }

  private func matching(_ query: TopItemsQuery, _ ranking: [Ranked]) -> [Ranked] {
    ranking.filter { ranked in query.itemPrefix.map { ranked.item.utf8.starts(with: $0.utf8) } ?? true }
  }

  private func listed(_ query: TopItemsQuery, _ ranking: [Ranked]) -> [Ranked] {
    guard query.ties == .include, ranking.count > query.n else { return Array(ranking.prefix(query.n)) }
    return ranking.filter { $0.count >= ranking[query.n - 1].count }
  }

  private func naive(_ fixture: F, _ query: TopItemsQuery, _ from: Int64, _ to: Int64) -> [TopItems.Row] {
    let now = rankings(fixture, query, from, to)
    let before = query.comparesPrevious ? rankings(fixture, query, from - (to - from), from) : [:]
    var rows: [TopItems.Row] = []
    for group in Set(now.keys).union(before.keys).sorted(by: { ($0 ?? 0) < ($1 ?? 0) }) {
      let total = query.hasShare ? now[group]?.reduce(0) { $0 + $1.count } : nil
      let ranking = matching(query, now[group] ?? [])
      let old = matching(query, before[group] ?? [])
      let top = listed(query, ranking)
      var rest = ranking.reduce(0) { $0 + $1.count }
      func add(_ item: String?, rank: Int?, _ count: Int64, total: Int64?) {
        let place = old.firstIndex { $0.item == item }
        rest -= count
        rows.append(
          TopItems.Row(
            locationOid: group,
            locationName: nil,
            rank: rank,
            itemName: item,
            count: count,
            total: total,
            previousRank: place.map { $0 + 1 },
            previousCount: query.comparesPrevious && item != nil ? place.map { old[$0].count } ?? 0 : nil
          )
        )
      }
      for (index, ranked) in top.enumerated() {
        add(ranked.item, rank: index + 1, ranked.count, total: total)
      }
      for ranked in old.prefix(query.n) where !top.contains(where: { $0.item == ranked.item }) {
        let count = ranking.first { $0.item == ranked.item }?.count
        add(ranked.item, rank: nil, count ?? 0, total: count == nil ? nil : total)
      }
      if query.hasOthers, rest > 0 { add(nil, rank: nil, rest, total: total) }
    }
    return rows
  }

  @Test(
    "ties, rest, shares, prefixes and comparison equal a naive count, together and alone",
    arguments: [1, 2] as [UInt64]
  )
  func options(seed: UInt64) throws {
    try F.with(horizonDays: 10) { fixture throws in
      let (start, end) = try fill(fixture, seed: seed)
      let store = CountStore(fixture.reader)
      var random = SeededGenerator(seed: seed ^ 5)
      for _ in 0..<150 {
        let a = Int64.random(in: start...end, using: &random).floored(to: F.minute)
        let b = min(end, a + Int64.random(in: 1...36 * 60, using: &random) * F.minute)
        let query = TopItemsQuery(
          locations: [[], [2], [1, 3]].randomElement(using: &random) ?? [],
          n: .random(in: 1...6, using: &random),
          range: .between(Timestamp(microseconds: a), Timestamp(microseconds: b)),
          grouping: Bool.random(using: &random) ? .location : .all,
          ties: Bool.random(using: &random) ? .cut : .include,
          itemPrefix: [nil, "a", "ab", "%", "\u{1F600}"].randomElement(using: &random) ?? nil,
          hasOthers: .random(using: &random),
          hasShare: .random(using: &random),
          comparesPrevious: .random(using: &random),
          maximumRows: 1000
        )
        guard a < b else { continue }
        let answer = try store.topItems(query)
        let expected = naive(fixture, query, a, b)
        #expect(answer.rows == expected, "\(query): \(answer.rows), not \(expected)")
        #expect(answer.from == Timestamp(microseconds: a) && answer.to == Timestamp(microseconds: b))
        let isTied = rankings(fixture, query, a, b).values.map { matching(query, $0) }.contains { ranking in
          ranking.count > query.n && ranking[query.n].count == ranking[query.n - 1].count
        }
        #expect(answer.isTiedAtCutoff == isTied)
        let previous = Timestamp(microseconds: a - (b - a))..<Timestamp(microseconds: a)
        #expect(answer.previous == (query.comparesPrevious ? previous : nil))

        // The same one row at a time.
        var head: TopItems?
        var rows: [TopItems.Row] = []
        try store.topItems(query, begin: { head = $0 }, row: { rows.append($0) })
        #expect(rows == answer.rows && head?.labels == answer.labels)
        #expect(head?.isTiedAtCutoff == isTied && head?.previous == answer.previous)
      }
    }
  }

  @Test(
    "a series adds up to its top list, and equals a naive count in each bucket",
    arguments: [1, 2] as [UInt64]
  )
  func series(seed: UInt64) throws {
    try F.with(horizonDays: 10) { fixture throws in
      let (start, end) = try fill(fixture, seed: seed)
      let store = CountStore(fixture.reader)
      var random = SeededGenerator(seed: seed ^ 6)
      for _ in 0..<60 {
        let a = Int64.random(in: start...end, using: &random).floored(to: F.minute)
        let b = min(end, a + Int64.random(in: 1...30 * 60, using: &random) * F.minute)
        guard a < b else { continue }
        let bucket = Bucket.allCases.randomElement(using: &random) ?? .hour
        let query = TopItemsQuery(
          locations: [[], [2], [1, 3]].randomElement(using: &random) ?? [],
          n: .random(in: 1...3, using: &random),
          range: .between(Timestamp(microseconds: a), Timestamp(microseconds: b)),
          grouping: Bool.random(using: &random) ? .location : .all,
          ties: Bool.random(using: &random) ? .cut : .include,
          itemPrefix: [nil, "a"].randomElement(using: &random) ?? nil,
          maximumRows: 100_000
        )
        let series = try store.series(SeriesQuery(topItems: query, bucket: bucket))
        #expect(series.bucket == bucket)
        var expected: [Series.Row] = []
        for row in naive(fixture, query, a, b) {
          guard let rank = row.rank, let item = row.itemName else { continue }
          var bucketStart = a.floored(to: bucket.length)
          while bucketStart < b {
            let (low, high) = (max(a, bucketStart), min(b, bucketStart + bucket.length))
            let ranking = rankings(fixture, query, low, high)[row.locationOid] ?? []
            expected.append(
              Series.Row(
                locationOid: row.locationOid,
                locationName: nil,
                start: Timestamp(microseconds: low),
                end: Timestamp(microseconds: high),
                rank: rank,
                itemName: item,
                count: ranking.first { $0.item == item }?.count ?? 0
              )
            )
            bucketStart += bucket.length
          }
        }
        #expect(series.rows == expected, "\(query), \(bucket)")
      }
    }
  }

  @Test("a series of too many rows is refused before they are made; one without counts is empty")
  func seriesBounds() throws {
    try F.with(horizonDays: 10) { fixture throws in
      _ = try fill(fixture, seed: 3)
      let store = CountStore(fixture.reader)
      func query(_ from: String, locations: [Int64] = [], maximumRows: Int = 100_000) -> SeriesQuery {
        let range = TopItemsRange.between(
          Timestamp(rfc3339: from),
          Timestamp(rfc3339: "9999-12-31T00:00:00Z")
        )
        return SeriesQuery(
          topItems: TopItemsQuery(
            locations: locations,
            n: 2,
            range: range,
            grouping: .location,
            maximumRows: maximumRows
          ),
          bucket: .minute
        )
      }
      for from in ["0000-01-01T00:00:00Z", "2026-01-01T00:00:00Z"] {
        let error = #expect(throws: CountStoreError.self) { _ = try store.series(query(from)) }
        guard case .tooManyRows(100_000)? = error else {
          Issue.record("\(String(describing: error))")
          return
        }
      }
      let day = query("9999-12-30T00:00:00Z")
      #expect(try store.series(day).rows.isEmpty)
      #expect(throws: CountStoreError.self) {
        _ = try store.series(query("9999-12-30T00:00:00Z", locations: [1, 99]))
      }
    }
  }

  @Test("buckets are no finer than what is kept")
  func keptBuckets() throws {
    try F.with(horizonDays: 10) { fixture throws in
      let (start, end) = try fill(fixture, seed: 4)
      let store = CountStore(fixture.reader)
      _ = try fixture.connection.execute(
        """
        UPDATE rollup_mark SET kept_from = CASE level WHEN 'minute' THEN \(timestamp: start + 2 * F.day)
          WHEN 'hour' THEN \(timestamp: start + F.day) ELSE kept_from END
        """
      )
      for (days, bucket) in [(2, Bucket.minute), (1, .hour), (0, .day)] as [(Int64, Bucket)] {
        let from = start + days * F.day + 61 * F.minute
        let query = TopItemsQuery(
          locations: [],
          n: 100,
          range: .between(Timestamp(microseconds: from), Timestamp(microseconds: end)),
          grouping: .all,
          maximumRows: 100_000
        )
        let series = try store.series(SeriesQuery(topItems: query, bucket: .minute))
        let list = try store.topItems(query)
        #expect(series.bucket == bucket && series.labels.from == list.from)
        for row in list.rows {
          let counts = series.rows.filter { $0.rank == row.rank }
          #expect(counts.allSatisfy { $0.itemName == row.itemName })
          #expect(counts.reduce(0) { $0 + $1.count } == row.count)
        }
      }
    }
  }

  @Test("a range without a start begins with the first window that counts, at every level")
  func firstWindow() throws {
    try F.with(horizonDays: 120) { fixture throws in
      let today = try fixture.today()
      let store = CountStore(fixture.reader)
      func from(_ location: Int64?, to: Int64? = nil) throws -> Int64? {
        let query = TopItemsQuery(
          locations: location.map { [$0] } ?? [],
          n: 1,
          range: .between(nil, to.map(Timestamp.init(microseconds:))),
          grouping: .all,
          maximumRows: 9
        )
        return try store.topItems(query).from?.microseconds
      }
      #expect(try from(nil) == nil)
      let first = today - 70 * F.day + 90 * F.minute
      try fixture.count([(1, "a", first + 5), (2, "a", first + 3 * F.hour), (1, "b", today - F.hour)])
      #expect(try from(nil) == first)
      #expect(try from(2) == first + 3 * F.hour)
      #expect(try from(nil, to: first - F.day) == first)
      // Folded: the beginning of the coarsest unit that it is kept in, which may be earlier, by counts of nothing.
      try fixture.foldAll(until: today - F.day)
      let found = try #require(try from(nil))
      #expect(found <= first && found > first - 2 * F.day)
      try fixture.compare(.between(nil, nil), location: nil)
    }
  }

  @Test("locations and items are listed whole, with names or without, and as one row at a time")
  func dimensions() throws {
    try F.with(horizonDays: 10) { fixture throws in
      let store = CountStore(fixture.reader)
      var seen: [String] = []
      func locations(maximumRows: Int = .max) throws -> [String] {
        seen = []
        var isBegun = false
        try store.eachLocation(maximumRows: maximumRows) { _ in
          isBegun = true
        } row: { oid, name in
          seen.append("\(oid) \(name ?? "-")")
        }
        #expect(isBegun)
        return seen
      }
      #expect(try locations() == [])
      try fixture.count([(3, "b", try fixture.today()), (.max, "a", try fixture.today())])
      _ = try fixture.store.importLocations(
        [Location(oid: 3, name: "Dock"), Location(oid: -7, name: "=1+1")],
        replace: false,
        dryRun: false
      )
      #expect(try locations() == ["-7 =1+1", "3 Dock", "\(Int64.max) -"])
      #expect(throws: CountStoreError.self) { _ = try locations(maximumRows: 2) }
      func items(_ prefix: String?) throws -> [String] {
        var names: [String] = []
        try store.eachItem(prefix: prefix) {
          #expect($0 > 0)
        } row: {
          names.append($0)
        }
        return names
      }
      #expect(try items(nil) == ["a", "b"])
      #expect(try items("b") == ["b"])
      #expect(try items("%") == [])
    }
  }

  @Test(
    "a time zone's offset is that of the time, and what is no time zone is refused",
    arguments: [
      ("Europe/Berlin", "2026-10-25T00:59:59Z", 7200), ("Europe/Berlin", "2026-10-25T01:00:00Z", 3600),
      ("America/St_Johns", "2026-01-01T00:00:00Z", -12_600),
      ("Asia/Kathmandu", "2026-01-01T00:00:00Z", 20_700),
      ("Etc/GMT+5", "2026-01-01T00:00:00Z", -18_000), ("Australia/Lord_Howe", "2026-01-01T00:00:00Z", 39_600),
      ("America/Port-au-Prince", "2026-01-01T00:00:00Z", -18_000), ("UTC", "0000-01-01T00:00:00Z", 0),
    ]
  )
  func offsets(zone: String, time: String, seconds: Int) throws {
    try F.with { fixture throws in
      let store = CountStore(fixture.reader)
      let time = try #require(Timestamp(rfc3339: time))
      #expect(try store.offsets(of: zone, at: [time, time]) == [seconds, seconds])
      #expect(try store.offsets(of: zone, at: []) == [])
      let error = #expect(throws: CountStoreError.self) {
        try store.offsets(of: "Europe/Atlantis", at: [time])
      }
      guard case .unknownTimeZone? = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
  }
}
