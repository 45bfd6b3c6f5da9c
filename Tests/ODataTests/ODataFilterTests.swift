import APICore
import CountStore
import Counting
import HTTP
import TestSupport
import Testing

@testable import OData

@Suite("OData: $filter is read by the standard's grammar")
struct ODataFilterTests {
  private static let scope = ODataScope(
    columns: BIView.topItemsByHour.columns,
    aliases: [
      "n": "10", "name": "'it''s'", "time": "2026-11-01T00:00:00Z", "nothing": "null", "loop": "@n",
      "two": "1 2",
    ]
  )

  private func read(_ text: String) throws -> BIExpression {
    try ODataCursor.condition(text, option: "$filter", Self.scope)
  }

  private static func column(_ name: String) -> BIExpression {
    guard let column = scope.columns.first(where: { $0.name == name }) else { preconditionFailure(name) }
    return .column(column)
  }

  private static let rank = column("item_rank")
  private static let oid = column("geographical_location_oid")
  private static let place = column("geographical_location")
  private static let start = column("window_start")
  private static let item = column("item_name")

  private static func number(_ value: Int64) -> BIExpression { .value(.int64(value)) }
  private static func text(_ value: String) -> BIExpression { .value(.text(value)) }
  private static func time(_ text: String) -> BIExpression {
    Timestamp(rfc3339: text).map { .value(.timestamp($0)) } ?? .value(.null)
  }

  private static let a = BIExpression.compare(.lessOrEqual, rank, number(10))
  private static let b = BIExpression.compare(.equal, oid, number(42))
  private static let c = BIExpression.match(.contains, item, text("x"))

  @Test(
    "what is right becomes its expression",
    arguments: [
      ("item_rank le 10", a),
      ("  item_rank\tle 10 ", a),
      ("$it/item_rank le 10", a),
      ("item_rank LE 10", a),
      ("item_rank le @n", a),
      ("(item_rank le 10)", a),
      ("((item_rank) le (10))", a),
      ("10 ge item_rank", .compare(.greaterOrEqual, number(10), rank)),
      ("geographical_location_oid eq 42", b),
      ("geographical_location_oid eq -9223372036854775808", .compare(.equal, oid, number(.min))),
      ("geographical_location_oid ne 9223372036854775807", .compare(.notEqual, oid, number(.max))),
      ("item_rank lt 1", .compare(.less, rank, number(1))),
      ("item_rank gt 1", .compare(.greater, rank, number(1))),
      ("contains(item_name,'x')", c),
      ("contains( item_name , 'x' )", c),
      ("startswith(item_name,'עגלה')", .match(.startsWith, item, text("עגלה"))),
      ("endswith(geographical_location,@name)", .match(.endsWith, place, text("it's"))),
      ("item_name eq 'it''s'", .compare(.equal, item, text("it's"))),
      ("item_name eq ''", .compare(.equal, item, text(""))),
      ("item_name eq ''''", .compare(.equal, item, text("'"))),
      ("item_name eq 'a and b or (c)'", .compare(.equal, item, text("a and b or (c)"))),
      ("geographical_location eq null", .compare(.equal, place, .value(.null))),
      ("geographical_location ne @nothing", .compare(.notEqual, place, .value(.null))),
      ("geographical_location eq @absent", .compare(.equal, place, .value(.null))),
      // Precedence: not, comparisons, and, or.
      ("item_rank le 10 and geographical_location_oid eq 42", .all([a, b])),
      (
        "item_rank le 10 or geographical_location_oid eq 42 and contains(item_name,'x')",
        .any([a, .all([b, c])])
      ),
      (
        "(item_rank le 10 or geographical_location_oid eq 42) and contains(item_name,'x')",
        .all([.any([a, b]), c])
      ),
      ("not contains(item_name,'x') and item_rank le 10", .all([.not(c), a])),
      ("not (item_rank le 10)", .not(a)),
      ("not not (item_rank le 10)", .not(.not(a))),
      ("contains(item_name,'x') eq false", .compare(.equal, c, .value(.bool(false)))),
      ("true", .value(.bool(true))),
      ("1 eq 1", .compare(.equal, number(1), number(1))),
      ("item_rank in (1,2,3)", .isIn(rank, [.int64(1), .int64(2), .int64(3)])),
      ("item_name in ('a', null)", .isIn(item, [.text("a"), .null])),
      ("item_rank in ()", .isIn(rank, [])),
      // Times with their offsets; a plus that was not escaped has become a space.
      (
        "window_start ge 2026-11-01T00:00:00Z", .compare(.greaterOrEqual, start, time("2026-11-01T00:00:00Z"))
      ),
      ("window_start lt 2026-11-01T01:00:00+01:00", .compare(.less, start, time("2026-11-01T00:00:00Z"))),
      ("window_start lt 2026-11-01T01:00:00 01:00", .compare(.less, start, time("2026-11-01T00:00:00Z"))),
      ("window_start lt 2026-10-31T20:30:00-03:30", .compare(.less, start, time("2026-11-01T00:00:00Z"))),
      ("window_start lt 2026-11-01T00:00Z", .compare(.less, start, time("2026-11-01T00:00:00Z"))),
      (
        "window_start lt 2026-11-01T00:00:00.1234567Z",
        .compare(.less, start, time("2026-11-01T00:00:00.123456Z"))
      ),
      (
        "window_start ge 2026-11-01T00:00:00Z and window_start lt @time",
        .all([
          .compare(.greaterOrEqual, start, time("2026-11-01T00:00:00Z")),
          .compare(.less, start, time("2026-11-01T00:00:00Z")),
        ])
      ),
    ] as [(String, BIExpression)]
  )
  func right(text: String, expected: BIExpression) throws {
    #expect(try read(text) == expected)
  }

  @Test(
    "what is wrong is a 400 that repeats nothing of it",
    arguments: [
      "", " ", "item_rank", "10", "'x'", "item_rank le", "le 10", "item_rank le 10 and", "and", "not",
      "(item_rank le 10",
      "item_rank le 10)", "item_rank le 10 item_rank", "secret eq 1", "item_rank le 'x'", "item_name eq 5",
      "window_start gt 5", "window_start gt '2026-11-01T00:00:00Z'", "window_start gt 2026-11-01",
      "window_start gt 2026-11-01T00:00:00", "window_start gt 2026-13-01T00:00:00Z",
      "window_start gt datetimeoffset'2026-11-01T00:00:00Z'", "item_name eq 'secret",
      "item_name eq \"secret\"",
      "item_rank eq 9223372036854775808", "item_rank eq 10L", "item_rank eq 0x10", "item_rank eq --1",
      "item_rank eq +-1",
      "not item_rank eq 1", "item_rank in (1", "item_rank in (1,)", "item_rank in ('x')",
      "item_rank in (item_rank)", "contains(item_name)", "contains(item_rank,'x')", "contains(item_name,5)",
      "contains item_name", "secret(item_name)", "true gt false", "item_rank and true",
      "item_rank le 1;secret",
      "item_rank le 10 || true", "item_rank = 10", "$it le 1", "item_name/length eq 1", "@ eq 1",
      "item_rank eq @loop",
      "item_rank eq @two", "\u{0}", "item_rank\u{a0}le 1", "item_rank le 10 -- secret", "item_rank eq 1e",
      ")", "((((",
    ]
  )
  func wrong(text: String) {
    let error = #expect(throws: ODataError.self) { try read(text) }
    #expect(error?.problem.status == .badRequest, "\(text)")
    #expect(error?.problem.detail.contains("secret") == false)
  }

  @Test(
    "what is OData, but not done here, is a 501",
    arguments: [
      "tolower(item_name) eq 'x'", "year(window_start) eq 2026", "item_count add 1 gt 5",
      "item_count mod 2 eq 0",
      "length(item_name) gt 3", "item_count gt 1.5", "item_count gt 1e3",
      "geo.distance(item_name,item_name) lt 1",
      "cast(item_rank,Edm.String) eq '1'", "item_rank in @n", "item_rank in 1", "window_start gt now()",
      "item_rank eq duration'PT1H'",
      "contains(tolower(item_name),'x')", "item_rank has 1",
    ]
  )
  func unsupported(text: String) {
    let error = #expect(throws: ODataError.self) { try read(text) }
    #expect(error?.problem.status == .notImplemented, "\(text)")
  }

  @Test("depth, number and length are limited, and what is within the limits does not depend on the stack")
  func limits() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "(", count: depth) + "item_rank le 10" + String(repeating: ")", count: depth)
    }
    #expect(try read(nested(ODataCursor.deepest)) == Self.a)
    #expect(throws: ODataError.self) { try read(nested(ODataCursor.deepest + 1)) }
    #expect(throws: ODataError.self) { try read(nested(100_000)) }
    #expect(throws: ODataError.self) { try read(String(repeating: "not ", count: 1000) + "true") }
    let many = Array(repeating: "true", count: 240).joined(separator: " or ")
    #expect(try read(many) == .any(Array(repeating: .value(.bool(true)), count: 240)))
    #expect(throws: ODataError.self) {
      try read(Array(repeating: "true", count: 300).joined(separator: " or "))
    }
    #expect(throws: ODataError.self) { try read("item_name eq '\(String(repeating: "x", count: 9000))'") }
    let values = (0..<1001).map(String.init).joined(separator: ",")
    #expect(throws: ODataError.self) { try read("item_rank in (\(values))") }
  }

  @Test("random bytes are read or refused, and never trap")
  func noise() {
    var random = SeededGenerator(seed: 7)
    let words = [
      "item_rank", "item_name", "window_start", " eq ", " and ", " or ", "not ", "(", ")", "'", "''", "10",
      "-", "2026-11-01",
      "T00:00:00", "Z", "+01:00", " ", "@n", ",", "contains(", " in ", "null", "é", "\u{202e}", "/", "$it",
      "1.5", "=", "*",
    ]
    for _ in 0..<4000 {
      let text = (0..<Int.random(in: 0...14, using: &random)).map { _ in
        words.randomElement(using: &random) ?? ""
      }.joined()
      _ = try? read(text)
    }
  }
}
