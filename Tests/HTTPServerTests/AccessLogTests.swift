import Glibc
import HTTP
import HTTPServer
import Threading
import Sockets
import Testing

@Suite("the access log")
struct AccessLogTests {
  private func request(_ target: String?, agent: String? = nil, peer: String = "127.0.0.1:5000")
    -> CompletedRequest?
  {
    SocketAddress(peer).map {
      CompletedRequest(
        peer: $0,
        method: target == nil ? nil : .get,
        target: target,
        version: .http1_1,
        userAgent: agent,
        route: "/x",
        status: .ok,
        bodyBytes: 13,
        duration: .microseconds(1500),
        isComplete: true
      )
    }
  }

  @Test("writes the Common Log Format")
  func common() throws {
    let line = try #require(request("/x?a=b")).formatted(.common)
    #expect(line == #"127.0.0.1 - - [06/Nov/1994:08:49:37 +0000] "GET /x?a=b HTTP/1.1" 200 13"#)
    let other = try #require(request(nil, peer: "[2001:db8::1]:80")).formatted(.common)
    #expect(other == #"2001:db8::1 - - [06/Nov/1994:08:49:37 +0000] "-" 200 13"#)
  }

  @Test("writes JSON lines")
  func json() throws {
    var example = try #require(request("/x", agent: "curl/8"))
    #expect(
      example.formatted(.json)
        == #"{"time":"1994-11-06T08:49:37Z","peer":"127.0.0.1","method":"GET","target":"/x","version":"HTTP/1.1","#
        + #""route":"/x","status":200,"bytes":13,"seconds":0.0015,"user_agent":"curl/8"}"#
    )
    example.isComplete = false
    #expect(example.formatted(.json).contains(#","complete":false,"#))
  }

  @Test("cannot be forged by what clients send")
  func forgery() throws {
    for format in AccessLogFormat.allCases {
      let line = try #require(request("/x?\"\\", agent: "a\"b\\c\nd\u{1B}[31m\u{202E}é")).formatted(format)
      #expect(line.utf8.allSatisfy { (0x20..<0x7F).contains($0) })
      #expect(line.contains(#"/x?\"\\"#))
    }
  }

  @Test(
    "has no secrets",
    arguments: [
      ("/x?api_key=k", "/x?api_key=redacted"), ("/x?n=1&API_KEY=k&m=2", "/x?n=1&API_KEY=redacted&m=2"),
      ("/x?api%5Fkey=k", "/x?api%5Fkey=redacted"),
      ("/x?%61%70%69_%6B%65%79=k", "/x?%61%70%69_%6B%65%79=redacted"),
      ("/x?access_token=a=b", "/x?access_token=redacted"), ("/x?api_key", "/x?api_key"),
      ("/x?api_key=", "/x?api_key=redacted"),
      ("/x?password=p&password=q", "/x?password=redacted&password=redacted"),
      ("http://h/x?token=t", "http://h/x?token=redacted"), ("/x?", "/x?"), ("/x", "/x"),
      ("/x?n=1&&m", "/x?n=1&&m"),
      // What cannot be read could hide a name.
      ("/x?n=1&api_ke%y=k", "/x?"), ("/x?n=%FF&api_key=k", "/x?"), ("http://h/x?%6=k", "http://h/x?"),
    ]
  )
  func redaction(_ target: String, _ logged: String) throws {
    let server = try TestServer()
    let client = try server.client()
    try client.send(
      "GET \(target) HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer s3cret\r\nCookie: id=s3cret\r\nUser-Agent: t\r\n\r\n"
    )
    _ = try client.answer()
    let line = try #require(server.record.answered.first)
    #expect(line.target == logged && line.userAgent == "t")
    #expect(!"\(line)".contains("s3cret"))
  }

  @Test("logs every response: its status, its size and whether it was whole")
  func answers() throws {
    let server = try TestServer()
    let client = try server.client()
    for path in ["/a", "/block", "/stream?2x5"] {
      try client.get(path)
      _ = try client.answer()
    }
    try client.send("HEAD /abc HTTP/1.1\r\nHost: test\r\n\r\n")
    _ = try client.answer(toHead: true)
    try client.get("/stream-fails")
    _ = try? client.answer()
    let bad = try server.client()
    try bad.send("GET / HTTP/1.1\r\n\r\n")
    _ = try bad.answer()
    let gone = try server.client()
    try gone.get("/push")
    #expect(try gone.chunkAfterHead() == "first")
    gone.close()
    let waiting = try server.client()
    try waiting.get("/push-silent")
    #expect(eventually { server.record.channels.count == 2 })
    waiting.reset()
    #expect(eventually { server.record.answered.count == 8 })
    let reported = Set(
      server.record.answered.map {
        "\($0.method?.rawValue ?? "-") \($0.target ?? "-") \($0.status.rawValue) \($0.bodyBytes) \($0.isComplete)"
      }
    )
    let body = "error: Host is missing".utf8.count
    #expect(
      reported == [
        "GET /a 200 2 true", "GET /block 200 6 true", "GET /stream?2x5 200 10 true", "HEAD /abc 200 0 true",
        "GET /stream-fails 200 3 false", "- - 400 \(body) true", "GET /push 200 5 false",
        "GET /push-silent 499 0 false",
      ]
    )
  }

  @Test("does not keep its owner waiting for a reader that has stalled")
  func stalled() throws {
    var pipes = [Int32](repeating: 0, count: 2)
    try #require(pipe(&pipes) == 0)
    let log = try AccessLog(.common, descriptor: pipes[1])
    let example = try #require(request("/" + String(repeating: "x", count: 1000)))
    for _ in 0..<200 { log.add(example) }
    log.close(within: .milliseconds(20))
    // Its thread still writes: both ends stay open until it is done.
    var piece = [UInt8](repeating: 0, count: 65_536)
    var lines = 0
    while lines < 200 { lines += piece[..<max(0, read(pipes[0], &piece, piece.count))].count { $0 == 10 } }
    for descriptor in pipes { close(descriptor) }
  }

  @Test("is written line by line, in order, and drops lines when its reader is too slow")
  func writer() throws {
    var pipes = [Int32](repeating: 0, count: 2)
    try #require(pipe(&pipes) == 0)
    let log = try AccessLog(.common, descriptor: pipes[1])
    let example = try #require(request("/" + String(repeating: "x", count: 1000)))
    for _ in 0..<3000 { log.add(example) }
    #expect(log.dropped > 0 && log.dropped < 3000)
    let reader = Flag()
    let descriptor = pipes[0]
    let received = Received()
    try startThread(name: "reader") {
      var piece = [UInt8](repeating: 0, count: 65_536)
      while true {
        let count = read(descriptor, &piece, piece.count)
        guard count > 0 else { break }
        received.add(piece[..<count])
      }
      reader.set()
    }
    log.close(within: .seconds(20))
    close(pipes[1])
    #expect(eventually { reader.isSet })
    close(pipes[0])
    let lines = received.text.split(separator: "\n")
    #expect(lines.count == 3000 - log.dropped)
    #expect(lines.allSatisfy { $0.hasPrefix("127.0.0.1 - - [") && $0.hasSuffix("\" 200 13") })
  }
}

extension CompletedRequest {
  fileprivate func formatted(_ format: AccessLogFormat) -> String { format.line(self, second: 784_111_777) }
}

extension TestClient {
  fileprivate func chunkAfterHead() throws -> String? {
    _ = try head()
    return try chunk()
  }
}
