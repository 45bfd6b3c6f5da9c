import HTTP
import Testing

@testable import TopItemsAPI

@Suite("Pages of other origins")
struct CrossOriginTests {
  private func response(
    _ origins: [String],
    _ origin: String?,
    method: Method = .get,
    _ target: String = "/v1/top-items"
  ) throws -> Response {
    var settings = TopItemsAPI.Settings()
    settings.crossOrigin = CrossOrigin(origins: origins)
    let fields: Fields = origin.map { ["Origin": $0] } ?? [:]
    return try TestAPI(settings: settings).response(target, method: method, fields: fields)
  }

  @Test("may read nothing unless it is configured")
  func none() throws {
    for method: Method in [.get, .options] {
      let response = try response([], "https://a.example", method: method)
      #expect(!response.fields.contains { $0.name.hasPrefix("Access-Control") })
      #expect(response.fields["Vary"] == "Accept, Accept-Encoding, Authorization")
    }
  }

  @Test("that are configured may read answers and problems, and ask before they do")
  func some() throws {
    let origins = ["https://a.example", "http://localhost:3000"]
    for origin in origins {
      for target in ["/v1/top-items", "/v1/top-items.csv", "/v1/top-items?n=0", "/nowhere"] {
        let response = try response(origins, origin, target)
        #expect(response.fields["Access-Control-Allow-Origin"] == origin)
        #expect(response.fields["Access-Control-Expose-Headers"]?.contains("ETag") == true)
        #expect(response.fields["Access-Control-Allow-Credentials"] == nil)
      }
      let context = try response(origins, origin, method: .options)
      #expect(context.status == .noContent)
      #expect(context.fields["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS")
      #expect(context.fields["Access-Control-Allow-Headers"]?.contains("Authorization") == true)
    }
    for origin in [
      "https://b.example", "https://a.example.evil", "null", "https://a.example:444", "HTTPS://A.example",
    ] {
      let response = try response(origins, origin)
      #expect(response.fields["Access-Control-Allow-Origin"] == nil, "\(origin)")
      #expect(response.fields["Vary"] == "Accept, Accept-Encoding, Authorization, Origin")
    }
    #expect(try response(origins, nil).fields["Vary"]?.hasSuffix("Origin") == true)
  }

  @Test("all of them, if that is wanted")
  func all() throws {
    let response = try response(["*"], "https://a.example")
    #expect(response.fields["Access-Control-Allow-Origin"] == "*")
    #expect(response.fields["Vary"] == "Accept, Accept-Encoding, Authorization")
  }
}
