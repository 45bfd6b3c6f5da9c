import HTTP
import HTTPCases
import Testing

@Suite("a request's target")
struct TargetTests {
  @Test(
    "is decoded once",
    arguments: [
      ("/", "/"), ("/v1/top-items", "/v1/top-items"), ("/v1/top%2Ditems", "/v1/top-items"), ("/a/", "/a/"),
      ("/%61", "/a"), ("/%252e%252e/x", "/%2e%2e/x"), ("/%25", "/%"), ("/caf%C3%A9", "/café"),
      ("/%f0%9f%92%a1", "/💡"),
      ("/.well-known/x", "/.well-known/x"), ("/a..b/...", "/a..b/..."), ("/a?b=/../%2e", "/a"),
      ("/a%3Fb", "/a?b"),
      ("/a+b", "/a+b"), ("/$metadata", "/$metadata"), ("/TopItems(1,'x')", "/TopItems(1,'x')"),
      ("http://h", "/"), ("http://h?x", "/"), ("HTTPS://h:443/a%20b", "/a b"), ("http://[::1]:80/x", "/x"),
    ]
  )
  func decoded(_ raw: String, _ path: String) throws {
    let target = try Target(raw)
    #expect(target.decodedPath == path)
    #expect(target.raw == raw)
  }

  @Test(
    "that two readers could understand differently is refused",
    arguments: RefusedTarget.all
  )
  func refused(_ raw: String) {
    #expect(throws: ProtocolError.self) { try Target(raw) }
    #expect { try Target(raw) } throws: { ($0 as? ProtocolError)?.status == .badRequest }
  }

  @Test("keeps its query as it was sent")
  func query() throws {
    #expect(try Target("/a").query == nil)
    #expect(try Target("/a?").query == "")
    #expect(try Target("/a?b=%2F?c").query == "b=%2F?c")
    #expect(try Target("http://h?x=1").query == "x=1")
    #expect(try Target("*", method: .options).query == nil)
  }

  @Test("is a path and query for links, whatever its form")
  func pathAndQuery() throws {
    #expect(try Target("/a%20b?c").rawPathAndQuery == "/a%20b?c")
    #expect(try Target("http://h/a?c").rawPathAndQuery == "/a?c")
    #expect(try Target("http://h?c").rawPathAndQuery == "/?c")
    #expect(try Target("http://h").rawPathAndQuery == "/")
    #expect(try Target("http://h:8/a").authority == "h:8")
    #expect(try Target("/a").authority == nil)
  }

  @Test("has parameters, decoded once, in their order")
  func items() throws {
    func items(_ query: String) throws -> [String] {
      try Target("/?" + query).queryItems().map { "\($0.name)=\($0.value)" }
    }
    #expect(try items("") == [])
    #expect(try items("a=1&b=2&a=3") == ["a=1", "b=2", "a=3"])
    #expect(try items("a&b=&=c&&") == ["a=", "b=", "=c"])
    #expect(try items("q=a+b%2Bc%26%3D") == ["q=a b+c&="])
    #expect(try items("from=2026-11-01T00:00:00%2B01:00") == ["from=2026-11-01T00:00:00+01:00"])
    #expect(try items("a=b=c") == ["a=b=c"])
    #expect(try items("caf%C3%A9=%252e") == ["café=%2e"])
    #expect(try Target("/").queryItems().isEmpty)
  }

  @Test(
    "says which parameter is malformed",
    arguments: ["n=%", "n=%4", "n=%zz", "n=%00", "n=%ff", "n=%c0%af", "n=%ed%a0%80"]
  )
  func badItems(_ query: String) throws {
    #expect { try Target("/?a=1&\(query)").queryItems() } throws: { ($0 as? QueryError)?.name == "n" }
    #expect { try Target("/?%ff=1").queryItems() } throws: { ($0 as? QueryError)?.name == nil }
  }

  @Test("has a bounded number of parameters")
  func tooManyItems() throws {
    let target = try Target("/?" + Array(repeating: "a=1", count: 101).joined(separator: "&"))
    #expect(throws: QueryError.self) { try target.queryItems() }
    #expect(try target.queryItems(limit: 101).count == 101)
  }
}
