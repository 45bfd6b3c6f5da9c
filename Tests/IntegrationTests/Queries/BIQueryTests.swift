import CountStore
import Counting
import OData
import Postgres
import TestSupport
import Testing

@Suite("questions about the views: what SQL answers is what the conditions mean")
struct BIQueryTests {
  private typealias F = RollupFixture

  private static let view = BIView.topItemsByHour
  private static let items = [
    "a", "A", "ab", "é", "e\u{301}", "%_", "it's", "\\", "עגלה", "=1+1", "z\u{1F600}",
  ]

  /// A row as the store gives it, by the columns' names.
  private typealias Row = [String: BIValue]

  private func rows(_ fixture: F, _ query: BIQuery) throws -> (rows: [[BIValue]], count: Int64?) {
    var rows: [[BIValue]] = []
    var count: Int64?
    var failure: CountStoreError?
    try CountStore(fixture.reader).read(query) { answer in
      count = answer.count
      do throws(CountStoreError) {
        while let row = try answer.next() { rows.append(row) }
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return (rows, count)
  }

  /// Three locations, one without a name; hours of two days, folded and not.
  private func fill(_ fixture: F) throws -> Int64 {
    let today = try fixture.today()
    var random = SeededGenerator(seed: 21)
    _ = try fixture.store.importLocations(
      [Location(oid: 1, name: "Gate A"), Location(oid: 2, name: "é")],
      replace: false,
      dryRun: false
    )
    try fixture.count(
      (0..<400).map { _ in
        let at = today - .random(in: 0..<30, using: &random) * F.hour - 1
        let place: Int64 = [1, 2, 9_007_199_254_740_993].randomElement(using: &random) ?? 1
        return (place, Self.items.randomElement(using: &random) ?? "a", at)
      }
    )
    try fixture.foldAll(until: today - 10 * F.hour)
    return today
  }

  // MARK: conditions

  private struct Random {
    var numbers: SeededGenerator
    let today: Int64

    mutating func number(_ range: Range<Int>) -> Int { .random(in: range, using: &numbers) }

    mutating func operand(_ type: BIType) -> BIExpression {
      let columns = BIQueryTests.view.columns.filter { column in
        column.type == type || (type == .int64 && column.type == .int32)
      }
      switch number(0..<8) {
      case 0: return .value(.null)
      case 1...4: return columns.randomElement(using: &numbers).map { .column($0) } ?? .value(.null)
      default: return .value(value(type))
      }
    }

    mutating func value(_ type: BIType) -> BIValue {
      switch type {
      case .int64, .int32:
        return .int64([1, 2, 3, 9_007_199_254_740_993, .min, .max].randomElement(using: &numbers) ?? 1)
      case .text: return .text((BIQueryTests.items + ["", "Gate A"]).randomElement(using: &numbers) ?? "")
      case .timestamp:
        return .timestamp(Timestamp(microseconds: today - Int64(number(0..<32)) * F.hour))
      }
    }

    mutating func condition(_ depth: Int) -> BIExpression {
      let types: [BIType] = [.int64, .text, .timestamp]
      let type = types.randomElement(using: &numbers) ?? .text
      switch number(0..<(depth > 0 ? 10 : 6)) {
      case 0...2:
        let comparison = BIComparison.allCases.randomElement(using: &numbers) ?? .equal
        return .compare(comparison, operand(type), operand(type))
      case 3:
        var values = (0..<number(0..<4)).map { _ in value(type) }
        if number(0..<4) == 0 { values.append(.null) }
        return .isIn(operand(type), values)
      case 4:
        return .match(
          BITextMatch.allCases.randomElement(using: &numbers) ?? .contains,
          operand(.text),
          operand(.text)
        )
      case 5: return .value([.bool(true), .bool(false), .null].randomElement(using: &numbers) ?? .null)
      case 6: return .all((0..<number(1..<4)).map { _ in condition(depth - 1) })
      case 7: return .any((0..<number(1..<4)).map { _ in condition(depth - 1) })
      case 8:
        let isEqual: BIComparison = number(0..<2) == 0 ? .equal : .notEqual
        return .compare(isEqual, condition(depth - 1), condition(depth - 1))
      default: return .not(condition(depth - 1))
      }
    }
  }

  /// The value of an expression, by the text of OData 4.0 alone.
  private func evaluate(_ expression: BIExpression, _ row: Row) -> BIValue {
    func isTrue(_ part: BIExpression) -> Bool? {
      if case .bool(let flag) = evaluate(part, row) { flag } else { nil }
    }
    func value(_ flag: Bool?) -> BIValue { flag.map { .bool($0) } ?? .null }
    switch expression {
    case .column(let column): return row[column.name] ?? .null
    case .value(let value): return value
    case .compare(let comparison, let left, let right):
      let (a, b) = (evaluate(left, row), evaluate(right, row))
      switch comparison {
      case .equal: return .bool(isSame(a, b))
      case .notEqual: return .bool(!isSame(a, b))
      case .less: return .bool(isLess(a, b))
      case .greater: return .bool(isLess(b, a))
      case .lessOrEqual: return .bool(isLess(a, b) || (a != .null && isSame(a, b)))
      case .greaterOrEqual: return .bool(isLess(b, a) || (a != .null && isSame(a, b)))
      }
    case .isIn(let operand, let values):
      let value = evaluate(operand, row)
      return .bool(values.contains { isSame($0, value) })
    case .match(let match, let text, let part):
      guard case .text(let text) = evaluate(text, row), case .text(let part) = evaluate(part, row) else {
        return .null
      }
      let (bytes, wanted) = (Array(text.utf8), Array(part.utf8))
      switch match {
      case .contains:
        return .bool((0...bytes.count).contains { bytes.dropFirst($0).starts(with: wanted) })
      case .startsWith: return .bool(bytes.starts(with: wanted))
      case .endsWith: return .bool(bytes.reversed().starts(with: wanted.reversed()))
      }
    case .all(let parts):
      let flags = parts.map(isTrue)
      return flags.contains(false) ? .bool(false) : value(flags.contains(nil) ? nil : true)
    case .any(let parts):
      let flags = parts.map(isTrue)
      return flags.contains(true) ? .bool(true) : value(flags.contains(nil) ? nil : false)
    case .not(let part): return value(isTrue(part).map { !$0 })
    }
  }

  /// By bytes: Swift's strings call composed and decomposed letters the same.
  private func isSame(_ a: BIValue, _ b: BIValue) -> Bool {
    if case .text(let a) = a, case .text(let b) = b { return a.utf8.elementsEqual(b.utf8) }
    return a == b
  }

  private func isLess(_ a: BIValue, _ b: BIValue) -> Bool {
    switch (a, b) {
    case (.int64(let a), .int64(let b)): a < b
    case (.text(let a), .text(let b)): a.utf8.lexicographicallyPrecedes(b.utf8)
    case (.timestamp(let a), .timestamp(let b)): a < b
    default: false
    }
  }

  @Test("a random condition is true in SQL for exactly the rows for which it is true by the standard")
  func conditions() throws {
    try F.with { fixture throws in
      let today = try fill(fixture)
      let all = try rows(fixture, BIQuery(Self.view)).rows
      #expect(all.count > 100)
      var random = Random(numbers: SeededGenerator(seed: 99), today: today)
      var matched = 0
      for _ in 0..<400 {
        let condition = random.condition(3)
        var query = BIQuery(Self.view)
        query.steps = [.filter(condition)]
        query.isCounted = true
        let answer = try rows(fixture, query)
        let expected = all.filter { values in
          let row = Row(uniqueKeysWithValues: zip(Self.view.columns.map(\.name), values))
          return evaluate(condition, row) == .bool(true)
        }
        #expect(answer.rows == expected, "\(condition)")
        #expect(answer.count == Int64(expected.count))
        if !expected.isEmpty, expected.count < all.count { matched += 1 }
      }
      // The conditions are neither all false nor all true.
      #expect(matched > 100)
    }
  }

  @Test("order, skip and limit: null first upwards, texts by bytes, nothing twice and nothing left out")
  func order() throws {
    try F.with { fixture throws in
      _ = try fill(fixture)
      let columns = Self.view.columns
      for column in columns {
        for isDescending in [false, true] {
          var query = BIQuery(Self.view)
          query.order =
            [BIQuery.Order(column, isDescending: isDescending)]
            + Self.view.key.filter { $0 != column }.map { BIQuery.Order($0) }
          let whole = try rows(fixture, query).rows
          let index = try #require(columns.firstIndex(of: column))
          for (a, b) in zip(whole, whole.dropFirst()) {
            let (low, high) = isDescending ? (b[index], a[index]) : (a[index], b[index])
            #expect(low == .null || isSame(low, high) || isLess(low, high), "\(column.name)")
          }
          var paged: [[BIValue]] = []
          query.limit = 37
          while query.skip == Int64(paged.count) {
            paged += try rows(fixture, query).rows
            query.skip += 37
          }
          #expect(paged == whole)
        }
      }
    }
  }

  @Test("groups, their sums and the top of each are those of a recount")
  func groups() throws {
    try F.with { fixture throws in
      _ = try fill(fixture)
      let columns = Dictionary(uniqueKeysWithValues: Self.view.columns.map { ($0.name, $0) })
      let (item, place) = (
        try #require(columns["item_name"]), try #require(columns["geographical_location_oid"])
      )
      let count = try #require(columns["item_count"])
      // By bytes, as items are: a String would call composed and decomposed letters the same.
      var sums: [Int64: [[UInt8]: Int64]] = [:]
      for seen in fixture.truth {
        sums[seen.location, default: [:]][Array(seen.item.utf8), default: 0] += seen.count
      }
      var expected: [[BIValue]] = []
      for (location, items) in sums.sorted(by: { $0.key < $1.key }) {
        let best = items.sorted { a, b in
          a.value != b.value ? a.value > b.value : a.key.lexicographicallyPrecedes(b.key)
        }
        expected += best.prefix(3).map {
          [.int64(location), .text(String(decoding: $0.key, as: UTF8.self)), .int64($0.value)]
        }
      }
      let total = BIColumn(computed: 1, name: "\"; DROP TABLE detection; --", type: .int64)
      var query = BIQuery(Self.view)
      query.steps = [
        .group(by: [place, item], [BIAggregate(.sum, of: count, as: total)]),
        .top(3, by: total, within: [place], key: [place, item]),
      ]
      query.columns = [place, item, total]
      query.order = [BIQuery.Order(place), BIQuery.Order(total, isDescending: true), BIQuery.Order(item)]
      #expect(try rows(fixture, query).rows == expected)

      let (most, least) = (
        BIColumn(computed: 2, name: "most", type: .text), BIColumn(computed: 3, name: "n", type: .int64)
      )
      query.steps = [
        .top(5, by: count, within: [], key: Self.view.key),
        .group(by: [], [BIAggregate(.max, of: item, as: most), BIAggregate(countAs: least)]),
      ]
      query.columns = [most, least]
      query.order = []
      let answer = try rows(fixture, query).rows
      #expect(answer.count == 1)
      #expect(answer[0][1] == .int64(5))
    }
  }

  @Test("whatever a text is, it is compared and never executed")
  func injection() throws {
    try F.with { fixture throws in
      let today = try fixture.today()
      let names = ["'; DROP TABLE detection; --", "$1", "\\'", "x' OR '1'='1", "%", "\u{202e}", "\u{7f}"]
      try fixture.count(names.map { (1, $0, today) })
      let item = try #require(BIView.windowCounts.columns.first { $0.name == "item_name" })
      for name in names {
        var query = BIQuery(.windowCounts)
        query.steps = [.filter(.compare(.equal, .column(item), .value(.text(name))))]
        query.columns = [item]
        #expect(try rows(fixture, query).rows == [[.text(name)]])
      }
      #expect(try fixture.base.number("SELECT count(*) FROM detection") == Int64(names.count))
    }
  }
}
