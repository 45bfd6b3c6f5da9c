import CountStore
import Foundation
import HTTP
import TestSupport
import Testing

@testable import TopItemsAPI

@Suite("Formats of rows")
struct FormatTests {
  private func text(_ target: String, _ asking: TestAPI = TestAPI(), fields: Fields = [:]) throws -> String {
    String(decoding: try asking.response(target, fields: fields).body, as: UTF8.self)
  }

  private func named(_ name: String) -> TestAPI {
    TestAPI(
      .success(
        .with([TopItems.Row(locationOid: 1, locationName: name, rank: 1, itemName: name, count: 1 << 53 + 1)])
      )
    )
  }

  @Test("CSV has a header, CRLF, nothing for null, and all digits")
  func csv() throws {
    #expect(
      try text("/v1/top-items.csv") == """
        geographical_location_oid,geographical_location,window_start,window_end,item_rank,item_name,item_count\r
        42,Gate A,2026-11-01T00:00:00Z,2026-11-02T00:00:00Z,1,forklift,991\r
        42,Gate A,2026-11-01T00:00:00Z,2026-11-02T00:00:00Z,2,pallet,12\r
        43,,2026-11-01T00:00:00Z,2026-11-02T00:00:00Z,1,crate,7\r

        """
    )
    #expect(try text("/v1/locations.csv").hasSuffix("9007199254740993,\r\n"))
    #expect(
      try text("/v1/top-items.csv", TestAPI(.success(.nothing)))
        == "geographical_location_oid,geographical_location,window_start,window_end,item_rank,item_name,item_count\r\n"
    )
  }

  @Test("NDJSON has the page's rows, one on each line; an address and the Accept field give the same bytes")
  func ndjson() throws {
    let lines = try text("/v1/top-items.ndjson").split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count == 4 && lines.last == "")
    let rows = try TestAPI().json("/v1/top-items")["data"]?.array
    #expect(try lines.dropLast().map { try JSON(parsing: Array($0.utf8)) } == rows)
    for (path, accept) in [("/v1/top-items", "text/csv"), ("/v1/locations", "application/x-ndjson")] {
      let suffix = accept == "text/csv" ? ".csv" : ".ndjson"
      #expect(try text(path, fields: ["Accept": accept]) == text(path + suffix))
    }
    #expect(try text("/v1/items", fields: ["Accept": "text/csv"]) == "item_name\r\ncrate\r\nforklift\r\n")
    #expect(
      try text("/v1/items?item=f", fields: ["Accept": "application/x-ndjson"])
        == "{\"item_name\":\"forklift\"}\n"
    )
  }

  @Test(
    "a cell that is a formula to a spreadsheet is disarmed, unless the query says otherwise",
    arguments: [
      ("=1+1", "'=1+1", "=1+1"), ("+1", "'+1", "+1"), ("-1", "'-1", "-1"),
      ("@SUM(A1)", "'@SUM(A1)", "@SUM(A1)"),
      ("\tx", "'\tx", "\tx"), ("\rx", "\"'\rx\"", "\"\rx\""),
      (
        "=HYPERLINK(\"a\",\"b\")", "\"'=HYPERLINK(\"\"a\"\",\"\"b\"\")\"",
        "\"=HYPERLINK(\"\"a\"\",\"\"b\"\")\""
      ),
      ("a=1", "a=1", "a=1"), ("a,b", "\"a,b\"", "\"a,b\""),
      ("say \"hi\"", "\"say \"\"hi\"\"\"", "\"say \"\"hi\"\"\""),
      ("two\r\nlines", "\"two\r\nlines\"", "\"two\r\nlines\""), (" x ", " x ", " x "), ("", "\"\"", "\"\""),
      ("🚧", "🚧", "🚧"), ("\u{202E}שלום", "\u{202E}שלום", "\u{202E}שלום"), ("<b>", "<b>", "<b>"),
    ]
  )
  func formulas(name: String, guarded: String, plain: String) throws {
    for (target, cell) in [
      ("/v1/top-items.csv", guarded), ("/v1/top-items.csv?escape_formulas=true", guarded),
      ("/v1/top-items.csv?escape_formulas=false", plain),
    ] {
      let record = try text(target, named(name)).utf8.split(separator: UInt8(ascii: "\n"), maxSplits: 1)[1]
      let expected = "1,\(cell),2026-11-01T00:00:00Z,2026-11-02T00:00:00Z,1,\(cell),9007199254740993\r\n"
      #expect(Array(record) == Array(expected.utf8))
    }
  }

  @Test("shares, comparison, what dropped out and the rest are in every format")
  func additions() throws {
    let asking = TestAPI(.success(.compared))
    let query = "?share=true&compare=previous&others=true"
    let page = try asking.json("/v1/top-items" + query)
    #expect(page["meta"]?["tie_at_cutoff"] == .bool(true))
    #expect(page["meta"]?["previous"]?["to"]?.string == "1970-01-02T00:00:00Z")
    #expect(
      page["data"]?.array?.map { $0["change"] } == [.string("up"), .string("new"), .string("out"), .null]
    )
    #expect(page["data"]?.array?.map { $0["delta"] } == [.integer(10), .integer(30), .integer(-70), .null])
    #expect(page["data"]?[0]?["share"] == .double(0.6) && page["data"]?[2]?["share"] == .integer(0))
    #expect(page["data"]?[3]?["item_name"] == .null && page["data"]?[3]?["item_rank"] == .null)
    #expect(page["meta"]?["columns"]?.array?.count == 12)
    let csv = try text("/v1/top-items.csv" + query, asking).split(separator: "\r\n")
    #expect(csv[0].hasSuffix("item_count,share,previous_rank,previous_count,delta,change"))
    #expect(csv[1].hasSuffix(",forklift,60,0.6,2,50,10,up"))
    #expect(csv[4].hasSuffix(",,,10,0.1,,,,"))
    let context = try #require(asking.queries.all.last)
    #expect(context.hasShare && context.hasOthers && context.comparesPrevious && context.maximumRows == .max)
  }

  @Test(
    "a share is rounded to six decimals, of whatever is counted",
    arguments: [
      (1, 3, "0.333333"), (2, 3, "0.666667"), (1, 2_000_000, "0.000001"), (1, 2_000_001, "0"), (7, 7, "1"),
      (.max, .max, "1"), (.max - 1, .max, "1"), (1 << 62, .max, "0.5"), (1, 10, "0.1"),
    ] as [(Int64, Int64, String)]
  )
  func share(count: Int64, total: Int64, expected: String) throws {
    let row = TopItems.Row(
      locationOid: 1,
      locationName: nil,
      rank: 1,
      itemName: "x",
      count: count,
      total: total
    )
    let line = try text("/v1/top-items.csv?share=true", TestAPI(.success(.with([row]))))
    #expect(line.hasSuffix(",\(count),\(expected)\r\n"))
  }

  @Test("times are shown in the zone that is asked for, and mean the same")
  func timeZone() throws {
    let row = try TestAPI().json("/v1/top-items?tz=Europe/Berlin")
    #expect(row["meta"]?["from"]?.string == "2026-11-01T01:00:00+01:00")
    #expect(row["data"]?[0]?["window_end"]?.string == "2026-11-02T01:00:00+01:00")
    let west = try text("/v1/top-items.csv?tz=America/St_Johns", TestAPI(offsets: .success(-12_600)))
    #expect(west.contains(",2026-10-31T20:30:00-03:30,"))
    let unknown = TestAPI(offsets: .failure(.unknownTimeZone))
    for path in ["/v1/top-items", "/v1/top-items.ndjson", "/v1/top-items/series"] {
      let problem = try unknown.json(path + "?tz=Europe/Atlantis")
      #expect(problem["param"]?.string == "tz" && problem["status"]?.integer == 400)
      #expect(try unknown.response(path + "?tz=UTC").status == .ok)
    }
  }

  @Test("a series has a row for each item and bucket, and names the bucket that was used")
  func series() throws {
    let asking = TestAPI()
    let page = try asking.json("/v1/top-items/series?bucket=1h&n=1")
    #expect(page["meta"]?["bucket"]?.string == "1m")
    #expect(page["data"]?.array?.map { $0["item_count"] } == [.integer(5), .integer(0)])
    #expect(page["data"]?[1]?["window_start"]?.string == "2026-11-01T00:01:00Z")
    #expect(
      asking.queries.allSeries.last?.bucket == .hour && asking.queries.allSeries.last?.topItems.n == 1
    )
    #expect(try asking.json("/v1/top-items/series?bucket=2m")["param"]?.string == "bucket")
  }

  @Test("a long response leaves in pieces of bounded size, and is the same text; a short one has a tag")
  func pieces() throws {
    let name = String(repeating: "é", count: 100)
    let rows = (1...5000).map { (rank: Int) in
      TopItems.Row(locationOid: 1, locationName: nil, rank: rank, itemName: "\(name)\(rank)", count: 1)
    }
    for (path, count) in [(".json", 5000), (".csv", 5001), (".ndjson", 5000)] {
      let target = try Target("/v1/top-items\(path)")
      guard case .streaming(let work) = TestAPI(.success(.with(rows))).api.handle(Request(target: target))
      else {
        Issue.record("not in pieces")
        return
      }
      let received = TestAPI.Received()
      try work(received.stream)
      let response = try received.response()
      #expect(received.pieces.count > 10 && received.pieces.dropFirst().allSatisfy { $0.count < 70_000 })
      #expect(response.fields["ETag"] == nil)
      let text = String(decoding: response.body, as: UTF8.self)
      if path == ".json" {
        #expect(try JSON(parsing: response.body).array?.count == count)
      } else {
        #expect(text.split(separator: path == ".csv" ? "\r\n" : "\n").count == count)
      }
    }
  }

  @Test("what fails in the middle breaks the response off; what fails before is a problem")
  func failsMidway() throws {
    let broken = CountStoreError.tooManyRows(limit: 1)
    for rows in [0, 10, 5000] {
      let asking = TestAPI(failingAfter: rows, with: broken)
      guard case .streaming(let work) = asking.api.handle(Request(target: try Target("/v1/top-items.csv")))
      else {
        Issue.record("not in pieces")
        return
      }
      let received = TestAPI.Received()
      if rows == 5000 {
        #expect(throws: StreamBroken.self) { try work(received.stream) }
        #expect(!received.pieces.isEmpty)
      } else {
        try work(received.stream)
        #expect(try received.response().status == .badRequest)
      }
    }
  }
}
