import APICore
import CountStore
import Counting
import HTTP
import Threading
import TestSupport
import Testing

@testable import OData

@Suite("OData: pages of one snapshot")
struct ODataPagingTests {
  private func prefer(_ size: Int) -> Fields { ["Prefer": "return=minimal, odata.maxpagesize=\(size)"] }

  /// All rows, following the links; and how many pages there were.
  private func follow(_ asking: TestOData, _ target: String, _ size: Int) throws -> (
    rows: [JSON], pages: Int
  ) {
    var rows: [JSON] = []
    var pages = 0
    var next: String? = target
    while let url = next {
      let answer = try asking.answer(url, fields: pages == 0 ? prefer(size) : [:])
      try #require(answer.response.status == .ok, "\(answer.text)")
      let json = try answer.json()
      let page = json["value"]?.array ?? []
      #expect(page.count <= size)
      rows += page
      pages += 1
      next = json["@odata.nextLink"]?.string
    }
    return (rows, pages)
  }

  @Test(
    "pages together are the whole, from one query to the store",
    arguments: [1, 2, 3, 7, 10, 11, 1000]
  )
  func whole(size: Int) throws {
    let asking = TestOData(TestOData.rows(10))
    let whole = try asking.answer("/odata/v4/TopItems?$count=true").json()["value"]?.array
    let (rows, pages) = try follow(asking, "/odata/v4/TopItems?$count=true&api_key=secret", size)
    #expect(rows == whole)
    #expect(pages == (10 + size - 1) / size)
    #expect(asking.queries.all.count == 2)
  }

  @Test("each page has count and context; links are absolute, keep the query and leave the credential out")
  func links() throws {
    let asking = TestOData(TestOData.rows(3))
    let first = try asking.answer(
      "/odata/v4/TopItems?$count=true&api_key=secret&$filter=item_rank%20le%203",
      fields: prefer(2)
    )
    #expect(first.response.fields["Preference-Applied"] == "odata.maxpagesize=2")
    let link = try #require(try first.json()["@odata.nextLink"]?.string)
    #expect(
      link.hasPrefix(
        "http://counts.example:8080/odata/v4/TopItems?$count=true&$filter=item_rank%20le%203&$skiptoken="
      )
    )
    let second = try asking.answer(link).json()
    #expect(second["@odata.count"] == .integer(3))
    #expect(second["@odata.context"] == (try first.json()["@odata.context"]))
    #expect(second["@odata.nextLink"] == nil)
    // Behind a proxy that ends TLS.
    let proxied = try asking.answer(
      "/odata/v4/TopItems",
      fields: ["Prefer": "maxpagesize=2", "X-Forwarded-Proto": "https", "Host": "bi.example"]
    )
    #expect(
      try proxied.json()["@odata.nextLink"]?.string?.hasPrefix("https://bi.example/odata/v4/TopItems?$skip")
        == true
    )
    // The same page again, as after a lost response.
    #expect(try asking.answer(link).json() == second)
    // A token is of use for its own query only.
    let other = link.replacing("TopItems?", with: "Locations?")
    #expect(try asking.answer(other).response.status == .badRequest)
    let beyond = String(link.dropLast()) + "2"
    #expect(try asking.answer(beyond).response.status == .badRequest)
    // Another process, or this one after a restart.
    #expect(try TestOData(TestOData.rows(3)).answer(link).response.status == .gone)
  }

  @Test("what is too much to be held is sent as a whole, without the preference being applied")
  func tooMuch() throws {
    let asking = TestOData(TestOData.rows(100), memoryBytes: 4000)
    let answer = try asking.answer("/odata/v4/TopItems", fields: prefer(10))
    #expect(answer.response.fields["Preference-Applied"] == nil)
    let json = try answer.json()
    #expect(json["value"]?.array?.count == 100)
    #expect(json["@odata.nextLink"] == nil)
    let small = try asking.answer("/odata/v4/TopItems?$top=5", fields: prefer(10))
    #expect(small.response.fields["Preference-Applied"] == "odata.maxpagesize=10")
  }

  @Test("held results make room for newer ones, and go when they are not asked for")
  func bounded() {
    var now = ContinuousClock.now
    let held = ResultSets<ODataResult>(capacity: 100_000, idleLimit: .seconds(300))
    func keep(_ bytes: Int, query: String = "") -> ResultKey {
      let result = ODataResult(head: [], pages: [[UInt8](repeating: 0, count: bytes)], contentType: "")
      return held.keep(result, query: Array(query.utf8), now: now)
    }
    func isHeld(_ key: ResultKey) -> Bool { held.find(key, now: now) != nil }
    let first = keep(40_000)
    now += .seconds(1)
    let second = keep(40_000)
    now += .seconds(1)
    #expect(isHeld(first))
    now += .seconds(1)
    let third = keep(40_000)
    #expect(!isHeld(second))
    #expect(isHeld(first) && isHeld(third))
    now += .seconds(299)
    #expect(isHeld(first))
    now += .seconds(2)
    #expect(isHeld(first))
    #expect(!isHeld(third))
    now += .seconds(301)
    #expect(!isHeld(first))
    let context = keep(1, query: String(repeating: "x", count: 40_000))
    _ = keep(1, query: String(repeating: "x", count: 60_000))
    #expect(!isHeld(context), "a long query takes memory as well")
  }

  @Test(
    "preferences that cannot be read are ignored",
    arguments: ["odata.maxpagesize=0", "odata.maxpagesize=x", "maxpagesize", "odata.maxpagesize=-1", ""]
  )
  func ignored(preference: String) throws {
    let answer = try TestOData(TestOData.rows(3)).answer(
      "/odata/v4/TopItems",
      fields: ["Prefer": preference]
    )
    #expect(try answer.json()["value"]?.array?.count == 3)
    #expect(answer.response.fields["Preference-Applied"] == nil)
  }

  @Test("long and short responses are sent as gzip where the client takes it")
  func gzip() throws {
    let asking = TestOData(TestOData.rows(3000))
    for (target, fields) in [
      ("/odata/v4/TopItems", [:]), ("/odata/v4/$metadata", [:]), ("/odata/v4/TopItems", prefer(9)),
    ] {
      var fields = fields as Fields
      let plain = try asking.answer(target, fields: fields)
      fields.append("Accept-Encoding", "gzip")
      let coded = try asking.answer(target, fields: fields)
      #expect(coded.response.fields["Content-Encoding"] == "gzip")
      #expect(coded.response.body.starts(with: [0x1F, 0x8B]))
      #expect(coded.response.body.count < plain.response.body.count)
    }
    #expect(
      try asking.answer("/odata/v4/", fields: ["Accept-Encoding": "gzip"]).response.fields["Content-Encoding"]
        == nil
    )
  }

  @Test("a long response comes in pieces")
  func pieces() throws {
    let answer = try TestOData(TestOData.rows(5000)).answer("/odata/v4/TopItems")
    #expect(answer.pieces > 10)
    #expect(try answer.json()["value"]?.array?.count == 5000)
  }
}
