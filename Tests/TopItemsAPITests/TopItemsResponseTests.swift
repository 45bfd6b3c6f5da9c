import CountStore
import HTTP
import TestSupport
import Testing

@testable import TopItemsAPI

@Suite("Answers of top-items")
struct TopItemsResponseTests {
  @Test("the page is meta, flat rows in the store's order, and where to go on")
  func page() throws {
    let response = try TestAPI().response("/v1/top-items")
    #expect(response.status == .ok)
    #expect(
      String(decoding: response.body, as: UTF8.self) == """
        {"meta":{"from":"2026-11-01T00:00:00Z","to":"2026-11-02T00:00:00Z","revision":88121,\
        "watermark":"2026-11-02T08:15:30.25Z","state":"final","lag":17,"freshness":null,"tie_at_cutoff":false,"columns":[\
        {"name":"geographical_location_oid","type":"int64"},{"name":"geographical_location","type":"string"},\
        {"name":"window_start","type":"timestamp"},{"name":"window_end","type":"timestamp"},\
        {"name":"item_rank","type":"int64"},{"name":"item_name","type":"string"},\
        {"name":"item_count","type":"int64"}]},"data":[\
        {"geographical_location_oid":"42","geographical_location":"Gate A",\
        "window_start":"2026-11-01T00:00:00Z","window_end":"2026-11-02T00:00:00Z",\
        "item_rank":1,"item_name":"forklift","item_count":991},\
        {"geographical_location_oid":"42","geographical_location":"Gate A",\
        "window_start":"2026-11-01T00:00:00Z","window_end":"2026-11-02T00:00:00Z",\
        "item_rank":2,"item_name":"pallet","item_count":12},\
        {"geographical_location_oid":"43","geographical_location":null,\
        "window_start":"2026-11-01T00:00:00Z","window_end":"2026-11-02T00:00:00Z",\
        "item_rank":1,"item_name":"crate","item_count":7}],\
        "rows":3,"next":null,"next_cursor":null}
        """
    )
  }

  @Test(".json is the page's rows and nothing around them")
  func records() throws {
    let asking = TestAPI()
    #expect(try asking.json("/v1/top-items.json") == asking.json("/v1/top-items")["data"])
  }

  @Test("before the first event there is an empty response, not an error")
  func nothing() throws {
    let asking = TestAPI(.success(.nothing))
    #expect(try asking.response("/v1/top-items.json").body == Array("[]".utf8))
    let page = try asking.json("/v1/top-items")
    #expect(page["rows"]?.integer == 0)
    #expect(page["meta"]?["from"] == .null)
    #expect(page["meta"]?["to"] == .null)
    #expect(page["meta"]?["watermark"] == .null)
    #expect(page["meta"]?["columns"]?.array?.count == 7)
  }

  @Test("oids beyond 2^53 keep every digit, as strings and as numbers; counts are numbers either way")
  func int64() throws {
    let oid: Int64 = 1 << 53 + 1
    let row = TopItems.Row(locationOid: oid, locationName: nil, rank: 1, itemName: "x", count: oid)
    let asking = TestAPI(.success(.with([row])))
    for path in ["/v1/top-items.json", "/v1/top-items.json?int64=string"] {
      let text = String(decoding: try asking.response(path).body, as: UTF8.self)
      #expect(text.contains(#""geographical_location_oid":"9007199254740993""#))
      #expect(text.contains(#""item_count":9007199254740993}"#))
    }
    let text = String(decoding: try asking.response("/v1/top-items.json?int64=number").body, as: UTF8.self)
    #expect(text.contains(#""geographical_location_oid":9007199254740993,"#))
    #expect(text.contains(#""item_count":9007199254740993}"#))
  }

  @Test("one ranking over all has neither oid nor name of a location")
  func groupAll() throws {
    let row = TopItems.Row(locationOid: nil, locationName: nil, rank: 1, itemName: "x", count: 5)
    let record = try TestAPI(.success(.with([row]))).json("/v1/top-items.json?group=all")[0]
    #expect(record?["geographical_location_oid"] == .null)
    #expect(record?["geographical_location"] == .null)
  }

  @Test(
    "hostile names come back as they are, and inert",
    arguments: [
      "'; DROP TABLE item; --", "\" onload=\"alert(1)", "<script>alert(1)</script>", "=HYPERLINK(\"x\")",
      "line\r\nX-Injected: 1", "\u{1B}[2J\u{9B}31m", "nul\u{0}", "🚧👷🏽‍♀️", "\u{202E}evil\u{202C}", "مرحبا שלום",
      "e\u{301}",
      "\u{2028}\u{2029}", "\\u0041\\", "%41%s%n", "${jndi:ldap://x}", String(repeating: "漢", count: 5000),
    ]
  )
  func hostileNames(name: String) throws {
    let row = TopItems.Row(locationOid: 1, locationName: name, rank: 1, itemName: name, count: 1)
    let response = try TestAPI(.success(.with([row]))).response("/v1/top-items")
    let record = try JSON(parsing: response.body)["data"]?[0]
    #expect(record?["item_name"]?.string?.unicodeScalars.elementsEqual(name.unicodeScalars) == true)
    #expect(
      record?["geographical_location"]?.string?.unicodeScalars.elementsEqual(name.unicodeScalars) == true
    )
    #expect(!response.body.contains { $0 < 0x20 || $0 == UInt8(ascii: "<") || $0 == 0x7F })
    #expect(response.fields["Content-Type"] == "application/json")
    #expect(response.fields["X-Content-Type-Options"] == "nosniff")
  }

  @Test("Server-Timing shows the database's time, the writing's and the whole")
  func serverTiming() throws {
    let timing = try #require(try TestAPI().response("/v1/top-items").fields["Server-Timing"])
    #expect(timing.wholeMatch(of: /db;dur=\d+\.\d{3}, json;dur=\d+\.\d{3}, total;dur=\d+\.\d{3}/) != nil)
  }
}
