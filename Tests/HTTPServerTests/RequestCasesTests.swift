import HTTP
import HTTPCases
import HTTPServer
import Testing

/// What the parser's tests feed to it in memory, here over a socket, with what the connection then does.
@Suite("over a socket")
struct RequestCasesTests {
  /// One of each kind is also split at each of its bytes; the parser's own tests do it for all.
  static let everywhere: Set<String> = [
    "Host twice", "Content-Length and Transfer-Encoding", "Content-Length: +5", "chunked twice",
    "a chunk size of 2⁶⁴", "a bare LF after the data", "a space before the colon", "a folded line",
    "a bare CR",
    "a TLS hello", "HTTP/2.0", "target /%2e%2e%2fx", "a chunked body", "trailers", "pipelined requests",
    "Expect with content",
  ]

  @Test(
    "what is malformed gets one response with its status, and the connection closes",
    arguments: RefusedRequest.all
  )
  func refused(_ example: RefusedRequest) throws {
    let server = try TestServer()
    let behind = Array("GET /behind HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
    for cutting in Cutting.all(example.bytes.count, everywhere: Self.everywhere.contains(example.name)) {
      let client = try server.client()
      // The server may answer and close before the last byte is sent: that is no failure.
      try? cutting.send(example.bytes + behind, to: client, of: server)
      let answer = try client.answer()
      #expect(answer.status == example.status, "\(cutting)")
      #expect(answer.fields["connection"] == "close", "\(cutting)")
      #expect(answer.fields["content-type"] == "application/problem+json")
      #expect(try client.isClosed(), "one answer and no more, \(cutting)")
    }
    #expect(server.record.handled.isEmpty)
  }

  @Test("what is well-formed is answered in its order", arguments: AcceptedRequests.all)
  func accepted(_ example: AcceptedRequests) throws {
    let server = try TestServer()
    let bytes = Array(example.input.utf8)
    let cuttings = Cutting.all(bytes.count, everywhere: Self.everywhere.contains(example.name))
    for cutting in cuttings {
      let client = try server.client()
      try cutting.send(bytes, to: client, of: server)
      for outcome in example.outcomes {
        let words = outcome.split(separator: " ")
        let answer = try client.answer(toHead: words[0] == "HEAD" || outcome == "100")
        #expect(answer.status == (outcome == "100" ? 100 : 200), "\(cutting)")
        if words[0] != "HEAD", outcome != "100" { #expect(answer.body == words[1], "\(cutting)") }
      }
    }
    let targets = example.outcomes.filter { $0 != "100" }.map { String($0.split(separator: " ")[1]) }
    #expect(server.record.handled == cuttings.flatMap { _ in targets })
  }

  @Test(
    "a target is decoded once, and whatever its form leads to the same route",
    arguments: [
      ("/echo", true), ("/%65cho", true), ("/ech%6F", true), ("http://other/echo", true), ("/echo?x", true),
      ("http://other:1/%65cho?x=/../y", true), ("/%2565cho", false), ("/ECHO", false), ("/echo/", false),
      ("/echo%3Fx", false), ("/echo.", false), ("/x?/echo", false),
    ]
  )
  func decodedOnce(_ target: String, _ isEchoed: Bool) throws {
    let server = try TestServer()
    let bytes = Array("POST \(target) HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc".utf8)
    for cutting in Cutting.all(bytes.count, everywhere: false) {
      let client = try server.client()
      try cutting.send(bytes, to: client, of: server)
      #expect(try client.answer().body == (isEchoed ? "abc" : target), "\(cutting)")
    }
  }
}
