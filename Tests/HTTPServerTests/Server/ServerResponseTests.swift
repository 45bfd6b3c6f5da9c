import Glibc
import HTTP
import HTTPServer
import Sockets
import Testing

@Suite("the server answers")
struct ServerResponseTests {
  @Test("requests one after the other on one connection")
  func keepAlive() throws {
    let server = try TestServer()
    let client = try server.client()
    for number in 0..<10 {
      try client.get("/\(number)")
      let answer = try client.answer()
      #expect(answer.status == 200 && answer.body == "/\(number)")
      #expect(answer.fields["connection"] == nil)
      #expect(answer.fields["date"]?.hasSuffix(" GMT") == true)
    }
  }

  @Test("a hundred pipelined requests in their order, those for workers among them")
  func pipelining() throws {
    let server = try TestServer()
    let client = try server.client()
    let paths = (0..<100).map { $0 % 7 == 3 ? "/block?\($0)" : "/\($0)" }
    try client.send(paths.map { "GET \($0) HTTP/1.1\r\nHost: test\r\n\r\n" }.joined())
    for path in paths { #expect(try client.answer().body == path) }
    #expect(server.record.handled == paths)
  }

  @Test("pipelined requests whose responses do not fit in the kernel's buffers")
  func pipelinedLarge() throws {
    let server = try TestServer()
    let client = try server.client(receiveBuffer: 8192)
    try client.send(
      String(
        repeating: "GET /big HTTP/1.1\r\nHost: test\r\n\r\nGET /a HTTP/1.1\r\nHost: test\r\n\r\n",
        count: 3
      )
    )
    for _ in 0..<3 {
      #expect(try client.answer().body.utf8.count == 8 * 1024 * 1024)
      #expect(try client.answer().body == "/a")
    }
  }

  @Test("nothing that was pipelined behind a refused request", arguments: ["/1", "/block?1"])
  func nothingAfterAnError(_ first: String) throws {
    let server = try TestServer()
    let client = try server.client()
    try client.send(
      "GET \(first) HTTP/1.1\r\nHost: test\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\nHost: test\r\n\r\n"
    )
    #expect(try client.answer().body == first)
    let refusal = try client.answer()
    #expect(refusal.status == 400)
    #expect(refusal.fields["content-type"] == "application/problem+json")
    #expect(refusal.fields["connection"] == "close")
    #expect(try client.isClosed())
    #expect(server.record.handled == [first])
  }

  @Test("HEAD with the length and without the content, also when it is large", arguments: ["/abc", "/big"])
  func head(_ path: String) throws {
    let server = try TestServer()
    let client = try server.client()
    try client.send("HEAD \(path) HTTP/1.1\r\nHost: test\r\n\r\n")
    let length = path == "/big" ? 8 * 1024 * 1024 : 4
    #expect(try client.answer(toHead: true).fields["content-length"] == "\(length)")
    try client.get("/next")
    #expect(try client.answer().body == "/next")
  }

  @Test("a refused HEAD without content too")
  func refusedHead() throws {
    let server = try TestServer()
    let client = try server.client()
    try client.send("HEAD / HTTP/1.1\r\n\r\n")
    #expect(try client.answer(toHead: true).status == 400)
    #expect(try client.isClosed())
  }

  @Test("a body up to the limit, and 413 to a longer one before it is sent")
  func bodyLimit() throws {
    let server = try TestServer { $0.request.bodyBytes = 100_000 }
    let body = String(repeating: "b", count: 100_000)
    let client = try server.client()
    try client.send("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n\(body)")
    #expect(try client.answer().body == body)
    try client.send("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 100001\r\n\r\n")
    #expect(try client.answer().status == 413)
  }

  @Test("413 to a client that sends on regardless: the response is not lost to a reset")
  func bodyLimitWhileSending() throws {
    let server = try TestServer { $0.request.bodyBytes = 1000 }
    let client = try server.client()
    try client.send(
      "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n"
        + String(repeating: "b", count: 1_000_000)
    )
    #expect(try client.answer().status == 413)
    #expect(try client.isClosed())
  }

  @Test("100 Continue when the client waits for it, 417 to any other expectation")
  func expectations() throws {
    let server = try TestServer()
    let client = try server.client()
    try client.send("POST /echo HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    #expect(try client.answer(toHead: true).status == 100)
    try client.send("ok")
    #expect(try client.answer().body == "ok")
    try client.send("POST /echo HTTP/1.1\r\nHost: test\r\nExpect: more\r\nContent-Length: 2\r\n\r\n")
    #expect(try client.answer().status == 417)
  }

  @Test("HTTP/1.0: closed after the response, or kept alive when asked")
  func http10() throws {
    let server = try TestServer()
    let client = try server.client()
    try client.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    #expect(try client.answer().fields["connection"] == "keep-alive")
    try client.send("GET /b HTTP/1.0\r\n\r\n")
    #expect(try client.answer().fields["connection"] == "close")
    #expect(try client.isClosed())
  }

  @Test("and closes when the client or the handler says so", arguments: ["/close", "/x"])
  func close(_ path: String) throws {
    let server = try TestServer()
    let client = try server.client()
    try client.get(path, path == "/close" ? "" : "Connection: close\r\n")
    #expect(try client.answer().fields["connection"] == "close")
    #expect(try client.isClosed())
  }

  @Test(
    "other protocols with a status, and closes",
    arguments: [
      ("GET /\r\n", 400), ("PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n", 505), ("\u{16}\u{03}\u{01}\u{02}", 400),
      ("BREW / HTTP/1.1\r\n", 501),
    ]
  )
  func otherProtocols(_ bytes: String, _ status: Int) throws {
    let server = try TestServer()
    let client = try server.client()
    try client.send(bytes)
    #expect(try client.answer().status == status)
    #expect(try client.isClosed())
  }

  @Test("other connections while handlers wait on workers")
  func blockingDoesNotStall() throws {
    let server = try TestServer(workers: 2)
    let waiting = try (0..<4).map { _ in try server.client() }
    for client in waiting { try client.get("/gate") }
    #expect(eventually { server.record.atGate == 2 })
    let other = try server.client()
    for _ in 0..<100 {
      try other.get("/quick")
      #expect(try other.answer().body == "/quick")
    }
    server.record.openGate()
    for client in waiting { #expect(try client.answer().body == "through") }
  }

  @Test("503 with Retry-After when too many requests wait for a worker")
  func workersExhausted() throws {
    let server = try TestServer(workers: 1) { $0.waitingForWorker = 1 }
    let clients = try (0..<3).map { _ in try server.client() }
    try clients[0].get("/gate")
    #expect(eventually { server.record.atGate == 1 })
    try clients[1].get("/gate")
    #expect(eventually { server.record.handled.count == 2 })
    try clients[2].get("/gate")
    let answer = try clients[2].answer()
    #expect(answer.status == 503 && answer.fields["retry-after"] == "1")
    try clients[2].get("/still-there")
    #expect(try clients[2].answer().status == 200)
    server.record.openGate()
    #expect(try clients[0].answer().status == 200)
    #expect(try clients[1].answer().status == 200)
  }

  @Test("many connections at a time on several loops")
  func manyConnections() throws {
    let server = try TestServer(loops: 3)
    let clients = try (0..<300).map { _ in try server.client() }
    for round in 0..<3 {
      for client in clients { try client.get("/\(round)") }
      for client in clients { #expect(try client.answer().body == "/\(round)") }
    }
  }
}
