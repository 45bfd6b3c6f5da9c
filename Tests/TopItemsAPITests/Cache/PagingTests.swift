import APICore
import CountStore
import HTTP
import TestSupport
import Testing

@testable import TopItemsAPI

@Suite("Pages")
struct PagingTests {
  private static let rows = (1...23).map {
    TopItems.Row(
      locationOid: Int64($0 / 10),
      locationName: "a,\"]}",
      rank: $0 % 10 + 1,
      itemName: "x\($0)",
      count: 5
    )
  }

  private func asking(_ settings: TopItemsAPI.Settings = TopItemsAPI.Settings()) -> TestAPI {
    TestAPI(.success(.with(Self.rows)), settings: settings)
  }

  /// Follows `next` to the end, as a client does.
  private func pages(_ asking: TestAPI, _ target: String) throws -> [JSON] {
    var pages: [JSON] = []
    var next: String? = target
    while let target = next {
      try #require(pages.count < 100)
      let page = try asking.json(target, fields: ["Host": "example.com:8080"])
      pages.append(page)
      next = page["next"]?.string
      if let next { #expect(next.hasPrefix("http://example.com:8080/v1/top-items?")) }
    }
    return pages
  }

  @Test(
    "followed from link to link they are the whole, of one query to the store",
    arguments: [1, 5, 22, 23, 24]
  )
  func whole(limit: Int) throws {
    let asking = asking()
    let all = try asking.json("/v1/top-items?n=7")
    let pages = try pages(
      asking,
      "/v1/top-items?location=42&n=7&limit=\(limit)&location=-1&item=a%20%26%2B%C3%A9"
    )
    #expect(pages.flatMap { $0["data"]?.array ?? [] } == all["data"]?.array)
    #expect(pages.allSatisfy { $0["meta"] == all["meta"] })
    #expect(
      pages.dropLast().allSatisfy { $0["rows"]?.integer == Int64(limit) && $0["next_cursor"]?.string != nil }
    )
    #expect(pages.last?["next"] == .null && pages.last?["next_cursor"] == .null)
    #expect(asking.queries.all.count == 2)
    #expect(asking.queries.all.last?.itemPrefix == "a &+é")
  }

  @Test("a cursor goes with the query that it came from, whatever the spelling, and with any limit")
  func query() throws {
    let asking = asking()
    let cursor = try #require(try asking.json("/v1/top-items?n=7&limit=5")["next_cursor"]?.string)
    for query in ["n=7&limit=3", "limit=3&n=7&group=location&window=PT60M", "n=7"] {
      let page = try asking.json("/v1/top-items?\(query)&cursor=\(cursor)")
      #expect(page["data"]?[0]?["item_name"]?.string == "x6", "\(query)")
    }
    for query in [
      "n=8", "n=7&group=all", "n=7&location=1", "n=7&int64=number", "n=7&item=x", "n=7&share=true",
    ] {
      let problem = try asking.json("/v1/top-items?\(query)&cursor=\(cursor)")
      #expect(problem["status"]?.integer == 400 && problem["param"]?.string == "cursor", "\(query)")
    }
    #expect(try asking.json("/v1/top-items/series?n=7&cursor=\(cursor)")["param"]?.string == "cursor")
  }

  @Test("what is not held any more is gone: start over")
  func gone() throws {
    let first = asking()
    let cursor = try #require(try first.json("/v1/top-items?limit=5")["next_cursor"]?.string)
    var settings = TopItemsAPI.Settings()
    settings.keptBytes = 100
    let small = asking(settings)
    let lost = try #require(try small.json("/v1/top-items?limit=5")["next_cursor"]?.string)
    for (asking, cursor) in [(asking(), cursor), (small, lost)] {
      let response = try asking.response("/v1/top-items?limit=5&cursor=\(cursor)")
      #expect(response.status == .gone)
      let problem = try JSON(parsing: response.body)
      #expect(problem["type"]?.string == "urn:topitems:problem:cursor-gone")
      #expect(problem["detail"]?.string?.contains("Start over") == true)
    }
  }

  @Test(
    "a malformed cursor or limit is a 400",
    arguments: [
      "cursor=", "cursor=x", "cursor=1.2.3", "limit=0", "limit=-1", "limit=100001", "limit=",
      "limit=5&limit=5",
      "cursor=0000000000000000.00000000000000000000000000000000.0",
      "cursor=0000000000000000.0000000000000000000000000000000g.1",
      "cursor=0000000000000000.00000000000000000000000000000000.01",
      "cursor=000000000000000A.00000000000000000000000000000000.1",
    ]
  )
  func malformed(query: String) throws {
    let problem = try asking().json("/v1/top-items?\(query)")
    #expect(problem["status"]?.integer == 400)
    #expect(problem["param"]?.string == String(query.prefix { $0 != "=" }))
  }

  @Test("formats without a place for what comes next have no pages")
  func unpaged() throws {
    for path in ["/v1/top-items", "/v1/locations", "/v1/items", "/v1/top-items/series"] {
      let response = try asking().response("\(path)?limit=5", fields: ["Accept": "text/csv"])
      #expect(response.status == .badRequest)
      #expect(try JSON(parsing: response.body)["param"]?.string == "limit")
    }
  }

  @Test("links begin where the server is reached, if it knows")
  func publicURL() throws {
    var settings = TopItemsAPI.Settings()
    settings.address.url = "https://example.com/base"
    let next = try asking(settings).json("/v1/top-items?limit=5", fields: ["Host": "internal"])["next"]?
      .string
    #expect(next?.hasPrefix("https://example.com/base/v1/top-items?limit=5&cursor=") == true)
  }
}
