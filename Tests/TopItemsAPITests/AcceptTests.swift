import HTTP
import TestSupport
import Testing

@testable import TopItemsAPI

@Suite("Accept")
struct AcceptTests {
  @Test(
    "whatever allows JSON gets it",
    arguments: [
      nil, "", "*/*", "application/json", "application/*", "APPLICATION/JSON", "text/html, */*;q=0.1",
      "text/html;q=0.9,application/json;q=0.001", "application/json;charset=utf-8",
      """
      application/json;odata.metadata=minimal;q=1.0,application/json;odata=minimalmetadata;q=0.9,\
      application/atomsvc+xml;q=0.8,application/atom+xml;q=0.8,application/xml;q=0.7,text/plain;q=0.7
      """,
      "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8", " , ,",
      "*/*;q=0, application/json",
    ]
  )
  func allowed(field: String?) throws {
    let fields: Fields = field.map { ["Accept": $0] } ?? [:]
    #expect(try TestAPI().response("/v1/top-items", fields: fields).status == .ok)
  }

  @Test(
    "what allows none of the formats is a 406 that says what there is, except where the address names the format",
    arguments: [
      "text/html", "application/xml", "application/json;q=0", "text/csv;q=0.0, application/*; q=0, x/y", "x",
    ]
  )
  func refused(field: String) throws {
    let asking = TestAPI()
    for path in ["/v1/top-items", "/v1/top-items/series", "/v1/locations", "/v1/items"] {
      let response = try asking.response(path, fields: ["Accept": field])
      #expect(response.status == .notAcceptable)
      #expect(
        try JSON(parsing: response.body)["detail"]?.string?.contains("application/json, text/csv") == true
      )
    }
    #expect(asking.queries.all.isEmpty)
    for path in [
      "/v1/top-items.json", "/v1/top-items.csv", "/v1/locations.ndjson", "/healthz", "/openapi.json",
    ] {
      #expect(try asking.response(path, fields: ["Accept": field]).status == .ok)
    }
  }

  @Test(
    "the format that is wanted most is given, by the most specific range that covers it",
    arguments: [
      ("text/csv", "text/csv; charset=utf-8"), ("text/*", "text/csv; charset=utf-8"),
      ("application/x-ndjson", "application/x-ndjson"), ("application/jsonl", "application/x-ndjson"),
      ("application/json;q=0.5, text/csv;q=0.9", "text/csv; charset=utf-8"),
      ("application/json;q=0.5, text/csv;q=0.500", "application/json"),
      ("application/*;q=0.9, application/json;q=0.1, text/csv;q=0.2", "application/x-ndjson"),
      ("*/*;q=0.1, text/csv", "text/csv; charset=utf-8"), ("*/*, text/csv;q=0.1", "application/json"),
      ("application/json;q=0, */*", "text/csv; charset=utf-8"),
      ("TEXT/CSV ; q=1.000", "text/csv; charset=utf-8"),
    ]
  )
  func preferred(field: String, contentType: String) throws {
    let response = try TestAPI().response("/v1/top-items", fields: ["Accept": field])
    #expect(response.fields["Content-Type"] == contentType)
    #expect(response.fields["Vary"]?.contains("Accept,") == true)
  }
}
