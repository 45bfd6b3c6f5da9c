import Counting
import Foundation
import Testing

@testable import Simulation

/// One line of a truth file, as any reader with a JSON parser sees it.
struct TruthRow: Decodable {
  struct Key: Hashable {
    var location: Int64
    var windowStart: String
    var itemName: [UInt8]
  }

  var key: Key
  var count: Int

  private enum CodingKeys: String, CodingKey {
    case geographical_location_oid, window_start, item_name, item_count
  }

  init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    key = Key(
      location: try fields.decode(Int64.self, forKey: .geographical_location_oid),
      windowStart: try fields.decode(String.self, forKey: .window_start),
      itemName: Array(try fields.decode(String.self, forKey: .item_name).utf8)
    )
    count = try fields.decode(Int.self, forKey: .item_count)
  }

  /// The rows of a truth, through its written form.
  static func read(_ truth: Truth) throws -> [TruthRow] {
    try lines(truth).dropLast().map { try JSONDecoder().decode(TruthRow.self, from: $0) }
  }

  static func lines(_ truth: Truth) -> [Data] {
    var text = Data()
    truth.write { text.append(contentsOf: $0) }
    #expect(text.last == UInt8(ascii: "\n"))
    return text.split(separator: UInt8(ascii: "\n"))
  }
}

@Suite("The truth")
struct TruthTests {
  @Test("lines are sorted by location, window and the bytes of the name, and no two are alike")
  func sorted() throws {
    let truth = try play(50_000, of: mixed) { _ in }.truth
    let rows = try TruthRow.read(truth)
    #expect(rows.count == truth.rows && rows.count > 1_000)
    #expect(Set(rows.map(\.key)).count == rows.count)
    for (left, right) in zip(rows, rows.dropFirst()) {
      let ascends =
        (left.key.location, left.key.windowStart) == (right.key.location, right.key.windowStart)
        ? left.key.itemName.lexicographicallyPrecedes(right.key.itemName)
        : (left.key.location, left.key.windowStart) < (right.key.location, right.key.windowStart)
      #expect(ascends)
    }
    #expect(rows.reduce(0) { $0 + $1.count } == truth.fates.counted)
    #expect(rows.allSatisfy { $0.count > 0 && $0.key.windowStart.hasSuffix(":00Z") })
  }

  @Test("the last line sums up the fates")
  func summary() throws {
    let truth = try play(10_000, of: mixed) { _ in }.truth
    let last = try #require(TruthRow.lines(truth).last)
    let summary = try JSONDecoder().decode([String: [String: Int]].self, from: last)
    var wanted = ["messages": 10_000]
    for fate in Fate.allCases { wanted[fate.column.description] = truth.fates[fate] }
    #expect(summary == ["summary": wanted])
  }

  @Test("the form is the one that readers were promised")
  func form() throws {
    var scenario = Scenario(start: mixed.start, rate: 1, seed: 1)
    (scenario.locations, scenario.items, scenario.jitter) = (1, 1, 0)
    let truth = try play(1, of: scenario) { _ in }.truth
    #expect(
      TruthRow.lines(truth).map { String(decoding: $0, as: UTF8.self) } == [
        #"{"geographical_location_oid":1,"window_start":"2026-11-01T00:00:00Z","item_name":"forklift","item_count":1}"#,
        #"{"summary":{"messages":1,"counted":1,"duplicates":0,"late":0,"future":0,"dead_letters":0,"tombstones":0}}"#,
      ]
    )
  }

  @Test("the truth of nothing is a summary")
  func empty() throws {
    #expect(try TruthRow.lines(play(0, of: mixed) { _ in }.truth).count == 1)
  }
}
