import CountStore
import Counting
import Foundation
import HTTP
import TestSupport
import Testing

@testable import OData

@Suite("OData: resources and their representations")
struct ODataServiceTests {
  /// What Power Query sends, with every request.
  static let powerQuery: Fields = [
    "Accept": """
    application/json;odata.metadata=minimal;q=1.0,application/json;odata=minimalmetadata;q=0.9,\
    application/atomsvc+xml;q=0.8,application/atom+xml;q=0.8,application/xml;q=0.7,text/plain;q=0.7
    """,
    "OData-MaxVersion": "4.0", "OData-Version": "4.0", "MaxDataServiceVersion": "3.0",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": "Microsoft.Data.Mashup (https://go.microsoft.com/fwlink/?LinkID=304225)",
  ]

  @Test("what Power Query asks, with its own fields, is answered as it can read it")
  func powerQueryConversation() throws {
    let asking = TestOData(TestOData.rows(3))
    for (target, type) in [
      ("/odata/v4/", "application/json;odata.metadata=minimal"), ("/odata/v4/$metadata", "application/xml"),
      ("/odata/v4/TopItemsByHour?$top=1000", "application/json;odata.metadata=minimal"),
      (
        "/odata/v4/TopItemsByHour?$filter=item_rank le 10 and window_start ge 2026-11-01T00:00:00%2B01:00 and "
          + "window_start lt 2026-11-02T00:00:00Z&$select=item_name,item_count,window_start&$orderby=item_count desc&$top=4096",
        "application/json;odata.metadata=minimal"
      ),
      ("/odata/v4/Locations?$count=true&$top=0", "application/json;odata.metadata=minimal"),
      ("/odata/v4/TopItems/$count", "text/plain; charset=utf-8"),
    ] {
      let response = try asking.answer(target, fields: Self.powerQuery).response
      #expect(response.status == .ok, "\(target)")
      #expect(response.fields.values(of: "OData-Version") == ["4.0"], "\(target)")
      #expect(response.fields.values(of: "Content-Type") == [type], "\(target)")
      #expect(response.fields["Vary"]?.contains("Accept") == true)
    }
    let query = try #require(asking.queries.all.dropFirst().first)
    #expect(query.view == .topItemsByHour)
    #expect(query.limit == 4096)
    #expect(query.columns.map(\.name) == ["item_name", "item_count", "window_start"])
    #expect(
      query.order.map(\.column.name) == [
        "item_count", "geographical_location_oid", "window_start", "item_rank",
      ]
    )
    #expect(query.order.map(\.isDescending) == [true, false, false, false])
  }

  @Test("the service document names every set, with or without the slash at the end")
  func serviceDocument() throws {
    for path in ["/odata/v4", "/odata/v4/"] {
      let json = try TestOData().answer(path).json()
      #expect(json["@odata.context"] == .string("http://counts.example:8080/odata/v4/$metadata"))
      let names = json["value"]?.array?.compactMap { $0["name"]?.string }
      #expect(
        names == [
          "TopItems", "TopItemsByMinute", "TopItemsByHour", "TopItemsByDay", "WindowCounts", "Locations",
        ]
      )
      #expect(
        json["value"]?.array?.allSatisfy { $0["url"] == $0["name"] && $0["kind"] == .string("EntitySet") }
          == true
      )
    }
  }

  @Test("a collection has its context and its values, exact beyond 2^53, with null where there is no name")
  func collection() throws {
    let answer = try TestOData(TestOData.rows(2)).answer("/odata/v4/TopItems")
    let json = try answer.json()
    #expect(json["@odata.context"] == .string("http://counts.example:8080/odata/v4/$metadata#TopItems"))
    #expect(json.object?.keys.sorted() == ["@odata.context", "value"])
    #expect(
      json["value"]?[1]
        == .object([
          "geographical_location_oid": .integer(9_007_199_254_740_993), "geographical_location": .null,
          "window_start": .string("2026-11-01T00:00:00Z"), "window_end": .string("2026-11-02T00:00:00Z"),
          "item_rank": .integer(2), "item_name": .string("item 1 \"<&>\u{202e}'"),
          "item_count": .integer(.max - 1),
        ])
    )
    #expect(answer.response.fields["Cache-Control"] == "private, no-cache")
  }

  @Test(
    "integers are strings where the client cannot read 64 bits, and the type of the response says so",
    arguments: ["/odata/v4/TopItems?$count=true", "/odata/v4/TopItems?$count=true&$format=json"]
  )
  func compatible(target: String) throws {
    let asks = ["Accept": "application/json;IEEE754Compatible=true"] as Fields
    let isFormat = target.contains("$format")
    let url = isFormat ? target.replacing("=json", with: "=application/json;IEEE754Compatible=true") : target
    let answer = try TestOData(TestOData.rows(1)).answer(url, fields: isFormat ? [:] : asks)
    let json = try answer.json()
    #expect(json["@odata.count"] == .string("1"))
    #expect(json["value"]?[0]?["geographical_location_oid"] == .string("9007199254740993"))
    #expect(json["value"]?[0]?["item_rank"] == .integer(1))
    #expect(
      answer.response.fields["Content-Type"]
        == "application/json;odata.metadata=minimal;IEEE754Compatible=true"
    )
  }

  @Test("no metadata leaves the context out, not the count; full metadata adds types and addresses")
  func metadataLevels() throws {
    let asking = TestOData(TestOData.rows(1))
    let none = try asking.answer(
      "/odata/v4/TopItems?$count=true&$format=application/json;odata.metadata=none"
    ).json()
    #expect(none.object?.keys.sorted() == ["@odata.count", "value"])
    let full = try asking.answer(
      "/odata/v4/TopItems?$select=item_name,item_count&$format=application/json;metadata=full"
    ).json()
    #expect(
      full["@odata.context"]
        == .string("http://counts.example:8080/odata/v4/$metadata#TopItems(item_name,item_count)")
    )
    #expect(
      full["value"]?[0]
        == .object([
          "@odata.type": .string("#topitems.TopItem"),
          "@odata.id": .string(
            "http://counts.example:8080/odata/v4/TopItems(geographical_location_oid=9007199254740993,"
              + "window_start=2026-11-01T00:00:00Z,item_rank=1)"
          ),
          "item_name": .string("item 0 \"<&>\u{202e}'"), "item_count@odata.type": .string("#Int64"),
          "item_count": .integer(.max),
        ])
    )
  }

  @Test("an entity, its properties and their bare values")
  func entity() throws {
    let asking = TestOData(TestOData.rows(1))
    let key =
      "/odata/v4/TopItemsByDay(item_rank=1,window_start=2026-11-01T00:00:00Z,geographical_location_oid=42)"
    let entity = try asking.answer(key).json()
    #expect(
      entity["@odata.context"]
        == .string("http://counts.example:8080/odata/v4/$metadata#TopItemsByDay/$entity")
    )
    #expect(entity["item_rank"] == .integer(1))
    let query = try #require(asking.queries.all.last)
    let columns = BIView.topItemsByDay.key.map { BIExpression.column($0) }
    #expect(
      query.steps == [
        .filter(
          .all([
            .compare(.equal, columns[0], .value(.int64(42))),
            .compare(
              .equal,
              columns[1],
              .value(.timestamp(try #require(Timestamp(rfc3339: "2026-11-01T00:00:00Z"))))
            ),
            .compare(.equal, columns[2], .value(.int64(1))),
          ])
        )
      ]
    )
    #expect(
      try asking.answer(key + "?$select=item_name").json().object?.keys.sorted() == [
        "@odata.context", "item_name",
      ]
    )
    let property = try asking.answer(key + "/item_count").json()
    #expect(property["value"] == .integer(.max))
    let value = try asking.answer(key + "/item_count/$value")
    #expect(value.text == "9223372036854775807")
    #expect(value.response.fields["Content-Type"] == "text/plain; charset=utf-8")
    #expect(try asking.answer("/odata/v4/Locations(42)").response.status == .ok)
    let byAlias = try asking.query(
      "/odata/v4/WindowCounts(geographical_location_oid=1,window_start=2026-11-01T00:00:00Z,item_name=@n)?@n='a/b'"
    )
    #expect("\(byAlias.steps)".contains("a/b"))

    let unnamed = TestOData([TestOData.rows(2)[1]])
    let null = try unnamed.answer(key + "/geographical_location")
    #expect(null.response.status == .noContent)
    #expect(null.response.body.isEmpty)
    #expect(try unnamed.answer(key + "/geographical_location/$value").response.status == .noContent)
    #expect(try TestOData([]).answer(key).response.status == .notFound)
  }

  @Test(
    "the 4.01 spellings, and whatever belongs to others, are accepted",
    arguments: [
      "filter=item_rank le 3&orderby=item_count desc&top=2&skip=1&count=true",
      "$FILTER=item_rank le 3&$OrderBy=item_count DESC&$top=2&$skip=1&$count=true",
      "api_key=secret&filter=item_rank le @n&@n=3&orderby=item_count desc&top=2&skip=1&count=true&x=1&id=7&_=9",
    ]
  )
  func spellings(query: String) throws {
    let expected = try TestOData().query(
      "/odata/v4/TopItems?$filter=item_rank le 3&$orderby=item_count desc&$top=2&$skip=1&$count=true"
    )
    #expect(try TestOData().query("/odata/v4/TopItems?" + query) == expected)
    #expect(expected.isCounted)
    #expect(expected.skip == 1)
  }

  @Test(
    "what is wrong is OData's own error, with its status and what it is about",
    arguments: [
      ("Nothing", 404, nil), ("TopItems/Nothing", 404, nil), ("Locations(1)/nothing", 404, nil),
      ("topitems", 404, nil),
      ("TopItems(1)", 400, "key"), ("TopItems(item_rank=1)", 400, "key"), ("Locations('x')", 400, "key"),
      ("Locations(null)", 400, "key"), ("Locations(1", 400, "key"),
      ("Locations(geographical_location_oid=1,geographical_location_oid=1)", 400, "key"),
      ("TopItems?$filter=nothing eq 1", 400, "$filter"), ("TopItems?$select=nothing", 400, "$select"),
      ("TopItems?$select=", 400, "$select"), ("TopItems?$orderby=nothing", 400, "$orderby"),
      ("TopItems?$orderby=item_rank up", 400, "$orderby"), ("TopItems?$top=-1", 400, "$top"),
      ("TopItems?$top=x", 400, "$top"), ("TopItems?$top=9223372036854775808", 400, "$top"),
      ("TopItems?$skip=1.5", 400, "$skip"),
      ("TopItems?$count=yes", 400, "$count"), ("TopItems?$top=1&$top=2", 400, "$top"),
      ("TopItems?$top=1&top=2", 400, "$top"),
      ("TopItems?$nonsense=1", 400, "$nonsense"), ("TopItems?@a=1&@a=2", 400, "@a"),
      ("Locations(1)?$top=1", 400, "$top"),
      ("$metadata?$top=1", 400, "$top"), ("TopItems?$skiptoken=x", 400, "$skiptoken"),
      ("TopItems?$skiptoken=a.b.1", 400, "$skiptoken"),
      ("TopItems?$skiptoken=0123456789abcdef.0123456789abcdef0123456789abcdef.1", 410, "$skiptoken"),
      ("TopItems?$expand=Location", 501, "$expand"),
      ("TopItems?$search=x", 501, "$search"), ("TopItems?$compute=1 as x", 501, "$compute"),
      ("TopItems?$orderby=length(item_name)", 501, "$orderby"), ("$batch", 501, nil), ("$all", 501, nil),
      ("TopItems?$format=atom", 406, nil), ("TopItems?$format=xml", 406, nil),
      ("TopItems?$filter=%FF", 400, "$filter"),
    ] as [(String, Int, String?)]
  )
  func errors(target: String, status: Int, about: String?) throws {
    let asking = TestOData()
    let answer = try asking.answer("/odata/v4/" + target)
    #expect(answer.response.status.rawValue == status, "\(answer.text)")
    let error = try answer.json()["error"]
    #expect(error?["code"]?.string?.isEmpty == false)
    #expect(error?["message"]?.string?.isEmpty == false)
    #expect(error?["target"]?.string == about)
    #expect(answer.response.fields["Content-Type"]?.hasPrefix("application/json") == true)
    #expect(answer.response.fields.values(of: "OData-Version") == ["4.0"])
    #expect(asking.queries.all.isEmpty)
  }

  @Test("other methods are 405, an older client 400, an unreadable format 406")
  func refusals() throws {
    let asking = TestOData()
    for method in [Method.post, .patch, .put, .delete] {
      let response = try asking.answer("/odata/v4/TopItems", method: method).response
      #expect(response.status == .methodNotAllowed)
      #expect(response.fields["Allow"] == "GET, HEAD, OPTIONS")
    }
    #expect(try asking.answer("/odata/v4/TopItems", method: .options).response.status == .noContent)
    #expect(
      try asking.answer("/odata/v4/TopItems", fields: ["OData-MaxVersion": "3.0"]).response.status
        == .badRequest
    )
    #expect(
      try asking.answer("/odata/v4/TopItems", fields: ["OData-MaxVersion": "4.01"]).response.status == .ok
    )
    for accept in [
      "application/atom+xml", "application/json;odata=verbose", "text/csv", "application/json;q=0, */*",
    ] {
      let response = try asking.answer("/odata/v4/TopItems", fields: ["Accept": accept]).response
      #expect(response.status == .notAcceptable, "\(accept)")
    }
    for accept in [
      "*/*", "application/*", "text/html, */*;q=0.1", "", "application/json;odata.streaming=true",
    ] {
      #expect(
        try asking.answer("/odata/v4/TopItems", fields: ["Accept": accept]).response.status == .ok,
        "\(accept)"
      )
    }
    #expect(
      try asking.answer("/odata/v4/TopItems?$format=json", fields: ["Accept": "text/csv"]).response.status
        == .ok
    )
  }

  @Test("a database that is away is a 503 before the response has begun, and a broken connection afterwards")
  func failures() throws {
    let away = CountStoreError.tooManyRows(limit: 1)
    let before = try TestOData(TestOData.rows(3), failing: away, after: 0).answer("/odata/v4/TopItems")
    #expect(before.response.status == .badRequest)
    #expect(!before.isBroken)
    let early = try TestOData(TestOData.rows(3), failing: away, after: 2).answer("/odata/v4/TopItems")
    #expect(early.response.status == .badRequest)
    #expect(try early.json()["error"] != nil)
    let late = try TestOData(TestOData.rows(2000), failing: away, after: 1999).answer(
      "/odata/v4/TopItems"
    )
    #expect(late.isBroken)
    #expect(late.response.status == .ok)
    #expect(throws: (any Error).self) { try late.json() }
    let counted = try TestOData(failing: away, after: 0).answer("/odata/v4/TopItems/$count")
    #expect(counted.response.status == .badRequest)
  }
}
