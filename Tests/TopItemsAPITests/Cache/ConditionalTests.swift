import CountStore
import HTTP
import Testing

@testable import TopItemsAPI

@Suite("Entity tags, HEAD and OPTIONS")
struct ConditionalTests {
  @Test(
    "a response that the client has is a 304 without a body",
    arguments: ["/v1/top-items.json", "/openapi.json"]
  )
  func notModified(path: String) throws {
    let first = try TestAPI().response(path)
    let tag = try #require(first.fields["ETag"])
    #expect(tag.wholeMatch(of: /W\/"[0-9a-f]+-[0-9a-f]+"/) != nil)
    #expect(first.fields["Cache-Control"] == "private, no-cache")
    for known in [tag, "*", "\"x\", \(tag)", "W/\"a,b\",\(tag),\"c\"", String(tag.dropFirst(2))] {
      let response = try TestAPI().response(path, fields: ["If-None-Match": known])
      #expect(response.status == .notModified, "\(known)")
      #expect(response.body.isEmpty)
      #expect(response.fields["ETag"] == tag)
      #expect(response.fields["Vary"] == "Accept, Accept-Encoding, Authorization")
      #expect(response.fields["Content-Type"] == nil)
    }
    let inOneOfTwoLines = Fields(dictionaryLiteral: ("If-None-Match", "\"x\""), ("If-None-Match", tag))
    #expect(try TestAPI().response(path, fields: inOneOfTwoLines).status == .notModified)
  }

  @Test("any other tag gets the whole response")
  func modified() throws {
    let tag = try #require(try TestAPI().response("/v1/top-items").fields["ETag"])
    let inner = tag.dropFirst(3).dropLast()
    for other in [
      "", "\"", "\"\"", "W/\"", "x", String(inner), "\"\(inner)", "\"\(inner)x\"", "\"*\"", "* ,",
      "\"a\"\(inner)\"b\"",
    ] {
      let response = try TestAPI().response("/v1/top-items", fields: ["If-None-Match": other])
      #expect(response.status == .ok, "\(other)")
    }
    let changed = try TestAPI(.success(.nothing)).response("/v1/top-items", fields: ["If-None-Match": tag])
    #expect(changed.status == .ok)
    #expect(changed.fields["ETag"] != tag)
  }

  @Test("probes and errors are neither stored nor tagged")
  func unstored() throws {
    for path in ["/healthz", "/readyz", "/v1/top-items?n=0", "/nowhere"] {
      let response = try TestAPI().response(path, fields: ["If-None-Match": "*"])
      #expect(response.fields["Cache-Control"] == "no-store")
      #expect(response.fields["ETag"] == nil)
      #expect(!response.body.isEmpty)
    }
  }

  @Test(
    "HEAD has the status, the fields and the length of GET",
    arguments: [
      "/v1/top-items", "/v1/top-items.json?n=5", "/healthz", "/readyz", "/openapi.json", "/v1/top-items?n=0",
      "/x",
    ]
  )
  func head(target: String) throws {
    let asking = TestAPI()
    let get = try asking.response(target)
    let head = try asking.response(target, method: .head)
    #expect(head.status == get.status)
    #expect(head.body.count == get.body.count)
    #expect(head.fields.map(\.name) == get.fields.map(\.name))
    for field in get.fields where field.name != "Server-Timing" {
      #expect(head.fields[field.name] == field.value)
    }
  }

  @Test(
    "OPTIONS lists the methods, also of the whole server",
    arguments: ["/v1/top-items", "/healthz", "*", "/v1/top-items?n=0"]
  )
  func options(target: String) throws {
    let asking = TestAPI()
    let response = try asking.response(target, method: .options)
    #expect(response.status == .noContent)
    #expect(response.fields["Allow"] == "GET, HEAD, OPTIONS")
    #expect(response.body.isEmpty)
    #expect(asking.queries.all.isEmpty)
    #expect(try asking.response("/nowhere", method: .options).status == .notFound)
  }
}
