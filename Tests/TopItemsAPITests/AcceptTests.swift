import HTTP
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
    #expect(try Asking().response("/v1/top-items", fields: fields).status == .ok)
  }

  @Test(
    "what allows no JSON is a 406 that says what there is, except where the address names the format",
    arguments: [
      "text/csv", "text/html", "application/xml", "application/json;q=0", "application/json; q=0.000, */*",
      "x",
    ]
  )
  func refused(field: String) throws {
    let asking = Asking()
    let response = try asking.response("/v1/top-items", fields: ["Accept": field])
    #expect(response.status == .notAcceptable)
    #expect(try JSON(parsing: response.body)["detail"]?.string?.contains("application/json") == true)
    #expect(asking.asked.all.isEmpty)
    for path in ["/v1/top-items.json", "/healthz", "/readyz", "/openapi.json"] {
      #expect(try asking.response(path, fields: ["Accept": field]).status == .ok)
    }
  }
}
