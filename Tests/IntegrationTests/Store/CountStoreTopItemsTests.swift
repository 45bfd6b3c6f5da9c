import CountStore
import Counting
import Postgres
import TestSupport
import Testing

@Suite("top items from the store")
struct CountStoreTopItemsTests {
  private static let minute: Int64 = 60_000_000

  /// Names whose order differs between bytes, UTF-16 and any language.
  private static let names = [
    "a", "B", "b", "ä", "a\u{308}", "z", "Ω", "\u{1F600}", "\u{FF5E}", "10", "9", " ", "A",
  ]

  private struct Count {
    var location: Int64
    var window: Int64
    var item: String
    var count: Int64
  }

  /// Random counts over a few minutes, few locations and few different numbers, so that ties are common.
  private func fill(_ fixture: CountStoreFixture, seed: UInt64) throws -> [Count] {
    var random = SeededGenerator(seed: seed)
    let ids = try fixture.store.internItems(Self.names.map { Array($0.utf8) })
    try fixture.store.ensurePartitions()
    try fixture.connection.run(script: "INSERT INTO counted_location VALUES (-7), (0), (3), (42)")
    var counts: [Count] = []
    for location: Int64 in [-7, 0, 3, 42] {
      for window in 0..<12 {
        for (item, id) in zip(Self.names, ids) where Int.random(in: 0..<3, using: &random) == 0 {
          let count = Count(
            location: location,
            window: fixture.origin + Int64(window) * Self.minute,
            item: item,
            count: .random(in: 1...3, using: &random)
          )
          counts.append(count)
          _ = try fixture.connection.execute(
            """
            INSERT INTO window_count VALUES (\(count.location), \(timestamp: count.window), \(id), \(count.count))
            """
          )
        }
      }
    }
    // Some locations have a name, one of them no counts; the others count without one.
    _ = try fixture.store.importLocations(
      [Location(oid: 3, name: "Dock"), Location(oid: 42, name: "Gate"), Location(oid: 5, name: "Empty")],
      replace: false,
      dryRun: false
    )
    for (partition, at) in [(0, 11 * Self.minute + 5), (1, 3 * Self.minute)] {
      _ = try fixture.connection.execute(
        """
        INSERT INTO ingest_offset (topic, partition, next_offset, epoch, max_event_at, last_message_at)
        VALUES ('events', \(partition), 0, 1, \(timestamp: fixture.origin + at), clock_timestamp())
        """
      )
    }
    return counts
  }

  private func naive(_ counts: [Count], _ query: TopItemsQuery, from: Int64, to: Int64) -> [TopItems.Row] {
    let names: [Int64: String] = [3: "Dock", 42: "Gate"]
    let wanted = counts.filter {
      (query.locations.isEmpty || query.locations.contains($0.location)) && $0.window >= from
        && $0.window < to
    }
    var rows: [TopItems.Row] = []
    let groups: [Int64?] = query.grouping == .all ? [nil] : Array(Set(wanted.map(\.location))).sorted()
    for group in groups {
      var sums: [[UInt8]: Int64] = [:]
      for count in wanted where group == nil || count.location == group {
        sums[Array(count.item.utf8), default: 0] += count.count
      }
      let sorted = sums.sorted {
        $0.value != $1.value ? $0.value > $1.value : $0.key.lexicographicallyPrecedes($1.key)
      }
      for (index, sum) in sorted.prefix(query.n).enumerated() {
        rows.append(
          TopItems.Row(
            locationOid: group,
            locationName: group.flatMap { names[$0] },
            rank: index + 1,
            itemName: String(decoding: sum.key, as: UTF8.self),
            count: sum.value
          )
        )
      }
    }
    return rows
  }

  private func same(_ a: [TopItems.Row], _ b: [TopItems.Row]) -> Bool {
    a == b && a.map { Array(($0.itemName ?? "").utf8) } == b.map { Array(($0.itemName ?? "").utf8) }
  }

  @Test(
    "a response equals a naive recount, for random data, ranges, groupings and limits",
    arguments: [1, 2] as [UInt64]
  )
  func property(seed: UInt64) throws {
    try CountStoreFixture.with { fixture throws in
      let counts = try fill(fixture, seed: seed)
      var random = SeededGenerator(seed: seed ^ 99)
      let end = fixture.origin + 12 * Self.minute
      for _ in 0..<150 {
        let locations: [Int64] =
          [[], [3], [-7, 42], [42, 42, 0], [5], [3, 5]].randomElement(using: &random) ?? []
        let n = Int.random(in: 1...8, using: &random)
        let grouping: Grouping = Bool.random(using: &random) ? .location : .all
        let range: TopItemsRange
        var from = Int64.min
        var to = end
        let a = Int64.random(in: -2 * Self.minute...14 * Self.minute, using: &random)
        let b = Int64.random(in: -2 * Self.minute...14 * Self.minute, using: &random)
        let floor = { (time: Int64) in time - (time % Self.minute + Self.minute) % Self.minute }
        switch Int.random(in: 0..<4, using: &random) {
        case 0:
          let span = Int64.random(in: 1...14 * Self.minute, using: &random)
          range = .newest(try #require(TimeSpan(iso8601: "PT\(max(1, span / 1_000_000))S")))
          from = end - (max(1, span / 1_000_000) * 1_000_000 + Self.minute - 1) / Self.minute * Self.minute
        case 1:
          range = .between(nil, nil)
        case 2:
          range = .between(nil, Timestamp(microseconds: fixture.origin + b))
          to = fixture.origin + floor(b + Self.minute - 1)
        default:
          range = .between(
            Timestamp(microseconds: fixture.origin + a),
            Timestamp(microseconds: fixture.origin + b)
          )
          from = fixture.origin + floor(a)
          to = fixture.origin + floor(b + Self.minute - 1)
        }
        let query = TopItemsQuery(
          locations: locations,
          n: n,
          range: range,
          grouping: grouping,
          maximumRows: 1000
        )
        let answer = try fixture.store.topItems(query)
        let expected = naive(counts, query, from: from, to: to)
        #expect(same(answer.rows, expected), "\(query): \(answer.rows), not \(expected)")
        #expect(answer.to == Timestamp(microseconds: to))
        if from != .min { #expect(answer.from == Timestamp(microseconds: from)) }
      }
    }
  }

  @Test("nothing counted yet: no rows, no ends, no watermark, revision 0")
  func empty() throws {
    try CountStoreFixture.with { fixture throws in
      let span = try #require(TimeSpan(iso8601: "PT1H"))
      for range in [TopItemsRange.newest(span), .between(nil, nil)] {
        for grouping in Grouping.allCases {
          let query = TopItemsQuery(locations: [], n: 3, range: range, grouping: grouping, maximumRows: 9)
          let answer = try fixture.store.topItems(query)
          #expect(
            answer
              == TopItems(from: nil, to: nil, revision: 0, watermark: nil, state: .open, lag: 0, rows: [])
          )
        }
      }
    }
  }

  @Test("unknown locations are named, all of them; a listed one without counts is known")
  func unknownLocations() throws {
    try CountStoreFixture.with { fixture throws in
      _ = try fill(fixture, seed: 3)
      let query = TopItemsQuery(
        locations: [99, 3, 5, -7, .min],
        n: 1,
        range: .between(nil, nil),
        grouping: .all,
        maximumRows: 100
      )
      do {
        let answer = try fixture.store.topItems(query)
        Issue.record("\(answer)")
      } catch {
        guard case .unknownLocations(let oids)? = error as? CountStoreError else {
          Issue.record("\(error)")
          return
        }
        #expect(Set(oids) == [99, .min])
      }
    }
  }

  @Test("more rows than allowed are refused, exactly as many are answered")
  func tooManyRows() throws {
    try CountStoreFixture.with { fixture throws in
      let counts = try fill(fixture, seed: 4)
      var query = TopItemsQuery(
        locations: [],
        n: 100,
        range: .between(nil, nil),
        grouping: .location,
        maximumRows: 0
      )
      let rows = naive(counts, query, from: .min, to: .max).count
      query.maximumRows = rows
      #expect(try fixture.store.topItems(query).rows.count == rows)
      query.maximumRows = rows - 1
      do {
        _ = try fixture.store.topItems(query)
        Issue.record("no error")
      } catch {
        guard case .tooManyRows(let limit)? = error as? CountStoreError else {
          Issue.record("\(error)")
          return
        }
        #expect(limit == rows - 1)
      }
    }
  }

  @Test("a range is widened to whole minutes, and the extremes of the calendar are answered")
  func widening() throws {
    try CountStoreFixture.with { fixture throws in
      let counts = try fill(fixture, seed: 5)
      let first = try #require(Timestamp(rfc3339: "0000-01-01T00:00:00Z"))
      let last = try #require(Timestamp(rfc3339: "9999-12-31T23:59:59.999999Z"))
      for (from, to) in [(first, last), (last, first), (first, first)] {
        let query = TopItemsQuery(
          locations: [],
          n: 3,
          range: .between(from, to),
          grouping: .location,
          maximumRows: 99
        )
        let answer = try fixture.store.topItems(query)
        #expect(same(answer.rows, from < to ? naive(counts, query, from: .min, to: .max) : []))
      }
      let span = try #require(TimeSpan(iso8601: "P100000000D"))
      let query = TopItemsQuery(locations: [], n: 3, range: .newest(span), grouping: .all, maximumRows: 99)
      #expect(same(try fixture.store.topItems(query).rows, naive(counts, query, from: .min, to: .max)))
    }
  }

  @Test("the watermark is the least of the partitions that are not idle, and the greatest where all are")
  func watermark() throws {
    try CountStoreFixture.with { fixture throws in
      _ = try fill(fixture, seed: 6)
      let query = TopItemsQuery(
        locations: [],
        n: 1,
        range: .between(nil, nil),
        grouping: .all,
        maximumRows: 9
      )
      func watermark() throws -> Int64? {
        try fixture.store.topItems(query).watermark.map { $0.microseconds - fixture.origin }
      }
      #expect(try watermark() == 3 * Self.minute)
      try fixture.connection.run(
        script: "UPDATE ingest_offset SET last_message_at = now() - interval '1 hour' WHERE partition = 1"
      )
      #expect(try watermark() == 11 * Self.minute + 5)
      try fixture.connection.run(
        script: "UPDATE ingest_offset SET last_message_at = now() - interval '1 hour'"
      )
      #expect(try watermark() == 11 * Self.minute + 5)
    }
  }

  @Test(
    "a silent partition that lags holds the watermark back, but not for the marker behind a transaction",
    arguments: [(lag: 0, isIdle: true), (1, true), (2, false), (1000, false)]
  )
  func laggingWatermark(lag: Int64, isIdle: Bool) throws {
    try CountStoreFixture.with { fixture throws in
      _ = try fill(fixture, seed: 6)
      _ = try fixture.connection.execute(
        """
        UPDATE ingest_offset
        SET last_message_at = now() - interval '1 hour', log_end_offset = next_offset + \(lag)
        WHERE partition = 1
        """
      )
      let query = TopItemsQuery(
        locations: [],
        n: 1,
        range: .between(nil, nil),
        grouping: .all,
        maximumRows: 9
      )
      let watermark = try fixture.store.topItems(query).watermark.map { $0.microseconds - fixture.origin }
      #expect(watermark == (isIdle ? 11 * Self.minute + 5 : 3 * Self.minute))
    }
  }

  @Test("a response is of one revision, while batches are committed under it")
  func consistent() throws {
    try CountStoreFixture.with { fixture throws in
      var claim = try #require(try fixture.claim())
      let url = fixture.url
      let isDone = Flag()
      let reader = Background {
        let store = CountStore(try CountStoreFixture.connect(url))
        let query = TopItemsQuery(
          locations: [],
          n: 1,
          range: .between(nil, nil),
          grouping: .all,
          maximumRows: 9
        )
        var last: (revision: Int64, count: Int64) = (0, 0)
        while !isDone.isSet {
          let answer = try store.topItems(query)
          let count = answer.rows.first?.count ?? 0
          // Ten detections in each revision.
          if answer.revision == last.revision, count != last.count { return "two counts of one revision" }
          if answer.revision < last.revision || count < last.count { return "went back" }
          if count % 10 != 0 { return "\(count) is part of a batch" }
          last = (answer.revision, count)
        }
        return last.count > 0 ? "" : "nothing was seen"
      }
      for number: Int64 in 0..<60 {
        let batch = fixture.batch(claim, (0..<10).map { .init(oid: number * 10 + $0, location: $0) })
        #expect(try fixture.apply(batch).isCommitted)
        claim = fixture.after(batch)
      }
      isDone.set()
      #expect(try reader.value() == "")
    }
  }
}
