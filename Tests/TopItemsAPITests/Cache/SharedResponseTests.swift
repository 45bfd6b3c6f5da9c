import Counting
import CountStore
import HTTP
import Testing

@testable import TopItemsAPI

@Suite("Responses that are shared, as clients get them")
struct SharedResponseTests {
  private func asking() -> TestAPI {
    let asking = TestAPI(.success(.with((1...20).map(Self.row))), memory: 1 << 20)
    asking.api.shared?.receive(.attached(.listening))
    return asking
  }

  private static func row(_ rank: Int) -> TopItems.Row {
    TopItems.Row(locationOid: 42, locationName: "Gate A", rank: rank, itemName: "item \(rank)", count: 7)
  }

  @Test("a repeat is the same response, from memory, however its parameters are spelled")
  func spelling() throws {
    let asking = asking()
    let first = try asking.response("/v1/top-items?n=20&location=42")
    for target in [
      "/v1/top-items?n=20&location=42", "/v1/top-items?location=42&n=20", "/v1/top-items?&n=%320&location=42",
      "http://host/v1/top-items?n=20&location=42",
    ] {
      let again = try asking.response(target)
      #expect(again.body == first.body && again.fields["ETag"] == first.fields["ETag"])
      #expect(again.fields["Server-Timing"]?.contains("cache;dur=0.000") == true, "\(target)")
    }
    #expect(asking.queries.all.count == 1)
    for other in [
      "/v1/top-items?n=19&location=42", "/v1/top-items.json?n=20&location=42", "/v1/top-items?n=20",
    ] {
      #expect(try asking.response(other).fields["Server-Timing"]?.contains("cache;") == false, "\(other)")
    }
    #expect(asking.queries.all.count == 4)
  }

  @Test("a client that accepts one format gets it from memory, by the target as it was sent")
  func accept() throws {
    let asking = asking()
    let target = "/v1/top-items?n=20&location=42"
    for round in 1...2 {
      for (accept, type) in [
        ("application/json", "application/json"), ("text/csv", "text/csv; charset=utf-8"),
        ("*/*", "application/json"), ("application/json, text/csv;q=0.5", "application/json"),
      ] {
        let response = try asking.response(target, fields: ["Accept": accept])
        #expect(response.fields["Content-Type"] == type, "\(accept)")
        let isKept = response.fields["Server-Timing"]?.contains("cache;") == true
        #expect(isKept == (round == 2 || (accept != "application/json" && accept != "text/csv")), "\(accept)")
      }
      #expect(asking.queries.all.count == 2, "one query for each format")
    }
    let twice: Fields = ["Accept": "text/csv", "Accept": "application/json;q=0.1"]
    #expect(try asking.response(target, fields: twice).fields["Content-Type"] == "text/csv; charset=utf-8")
    #expect(try asking.response(target, fields: ["Accept": "image/png"]).status == .notAcceptable)
  }

  @Test("items whose names only look the same are different queries")
  func bytes() {
    let (composed, decomposed) = ("\u{e9}", "e\u{301}")
    #expect(composed == decomposed, "to Swift they are equal")
    let keys = [composed, decomposed].map { SharedQuery.Key("/p", ["item": $0]) }
    #expect(keys[0] != keys[1])
    #expect(SharedQuery.Key("/p", [:]) != SharedQuery.Key("/p", [:], scope: .only([])))
    #expect(
      SharedQuery.Key("/p", [:], scope: .only([1])) != SharedQuery.Key("/p", [:], scope: .only([1, 2]))
    )
    #expect(SharedQuery.Key("/p", ["a": "b\u{1}c"]) != SharedQuery.Key("/p", ["a": "b", "c": ""]))
  }

  @Test("each client gets the form that suits it: gzip, plain, 304")
  func forms() throws {
    let asking = asking()
    let target = "/v1/top-items?n=20"
    for _ in 1...2 {
      let plain = try asking.response(target)
      let coded = try asking.response(target, fields: ["Accept-Encoding": "gzip, deflate, br"])
      #expect(plain.fields["Content-Encoding"] == nil && plain.body.count > 1024)
      #expect(coded.fields["Content-Encoding"] == "gzip" && coded.body.count < plain.body.count / 2)
      #expect(coded.fields["ETag"] == plain.fields["ETag"], "a weak tag is the same in each coding")
      let tag = try #require(plain.fields["ETag"])
      for fields in [["If-None-Match": tag], ["If-None-Match": "\"x\", \(tag)", "Accept-Encoding": "gzip"]]
        as [Fields]
      {
        let known = try asking.response(target, fields: fields)
        #expect(known.status == .notModified && known.body.isEmpty)
        #expect(known.fields["Content-Type"] == nil && known.fields["Content-Encoding"] == nil)
        #expect(known.fields["ETag"] == tag)
        #expect(known.fields["Vary"] == plain.fields["Vary"])
      }
      #expect(try asking.response(target, fields: ["If-None-Match": "W/\"x\""]).status == .ok)
      #expect(try asking.response(target, method: .head).body.count == plain.body.count)
    }
    #expect(asking.queries.all.count == 2, "once more for the first that takes gzip")
    #expect(try asking.response(target, fields: ["Accept": "image/png"]).status == .notAcceptable)
    #expect(try asking.response(target, fields: ["Accept": "application/json"]).status == .ok)
    #expect(try asking.response(target, method: .post).status == .methodNotAllowed)
  }

  @Test("formats that are negotiated at one address are different queries")
  func formats() throws {
    let asking = asking()
    let target = "/v1/top-items?location=42&n=20"
    for _ in 1...2 {
      #expect(try asking.response(target).fields["Content-Type"] == "application/json")
      for (accept, type) in [
        ("text/csv", "text/csv; charset=utf-8"), ("application/x-ndjson", "application/x-ndjson"),
        ("application/json", "application/json"), ("*/*", "application/json"),
      ] {
        #expect(try asking.response(target, fields: ["Accept": accept]).fields["Content-Type"] == type)
      }
    }
    #expect(asking.queries.all.count == 3)
  }

  @Test(
    "what is not shared is compressed too, whole or in pieces",
    arguments: ["/openapi.json", "/v1/top-items.csv?n=1000", "/v1/top-items.ndjson?n=1000"]
  )
  func compressed(target: String) throws {
    let asking = TestAPI(.success(.with((1...5000).map(Self.row))))
    let plain = try asking.response(target)
    let coded = try asking.response(target, fields: ["Accept-Encoding": "gzip"])
    #expect(plain.fields["Content-Encoding"] == nil && coded.fields["Content-Encoding"] == "gzip")
    #expect(coded.body.starts(with: [0x1F, 0x8B]) && coded.body.count < plain.body.count / 3)
    // It ends with the length of what it was made of (RFC 1952 §2.3.1).
    let length = coded.body.suffix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
    #expect(length == plain.body.count)
    #expect(
      try asking.response("/healthz", fields: ["Accept-Encoding": "gzip"]).fields["Content-Encoding"] == nil
    )
  }

  @Test("errors are computed again each time")
  func errors() throws {
    let asking = TestAPI(.failure(.unknownLocations([1])), memory: 1 << 20)
    asking.api.shared?.receive(.attached(.listening))
    for round in 1...3 {
      #expect(try asking.response("/v1/top-items?location=1").status == .notFound)
      #expect(asking.queries.all.count == round)
    }
  }

  @Test("a stream begins with the page's response, and refuses what the page refuses")
  func stream() throws {
    let asking = asking()
    let page = try asking.response("/v1/top-items?n=20")
    let stream = try asking.response("/v1/top-items/stream?n=20", fields: ["Last-Event-ID": "1"])
    #expect(stream.fields["Content-Type"] == "text/event-stream")
    let event =
      "retry: 1000\n\nid: 88121\nevent: top-items\ndata: \(String(decoding: page.body, as: UTF8.self))\n\n"
    #expect(String(decoding: stream.body, as: UTF8.self) == event)
    #expect(asking.queries.all.count == 1, "they share one query")
    let known = try asking.response("/v1/top-items/stream?n=20", fields: ["Last-Event-ID": "88121"])
    #expect(String(decoding: known.body, as: UTF8.self) == "retry: 1000\n\n")
    #expect(try asking.response("/v1/top-items/stream?n=0").status == .badRequest)
    // No whole response, which would have the length 0.
    let head = Request(method: .head, target: try Target("/v1/top-items/stream"))
    let client = try Client(asking.api.handle(head))
    #expect(client.given.all == ["begin"])
  }
}
