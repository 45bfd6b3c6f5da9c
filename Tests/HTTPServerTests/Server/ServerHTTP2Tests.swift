import Glibc
import HTTP
import HTTPServer
import Threading
import Sockets
import TestSupport
import Testing

@Suite("the server speaks HTTP/2")
struct ServerHTTP2Tests {
  /// curl as a client of HTTP/2 in plain text.
  static let prior = ["--http2-prior-knowledge"]

  @Test("with curl, and every kind of response")
  func answers() throws {
    let server = try TestServer()
    for (path, options, status, bytes) in [
      ("/abc", [], 200, 4), ("/block?1", [], 200, 8), ("/big", [], 200, 8 * 1024 * 1024),
      ("/stream?20x100000", [], 200, 2_000_000), ("/stream-not-begun", [], 500, nil),
      ("/abc", ["--head"], 200, 0),
      ("/echo", ["--data-binary", String(repeating: "x", count: 100_000)], 200, 100_000),
      ("/a%00b", [], 400, nil), ("/stream-not-modified", [], 304, 0),
    ] as [(String, [String], Int, Int?)] {
      let curl = try Curl(server.address, path, Self.prior + options)
      #expect(
        curl.exitStatus == 0 && curl.version == "2" && curl.status == status,
        "\(path): \(curl.output.suffix(200))"
      )
      if let bytes { #expect(curl.bodyBytes == bytes, "\(path)") }
    }
  }

  @Test("and answers without content that it has no use for, while the client still sends it")
  func unreadContent() throws {
    let server = try TestServer()
    let url = "http://127.0.0.1:\(server.address.port)/no-content"
    // Not curl: 7.88 waits for ever after a whole response to content that it has not sent to its end.
    let tool = try Tool(["sh", "-c", "head -c 100000 /dev/zero | timeout 20 nghttp -d - \(url)"])
    try #require(tool.status != 127, "apt-get install nghttp2-client")
    #expect(tool.status == 0 && tool.output == "/no-content", "\(tool.output)")
  }

  @Test("so that a response that fails does not look whole")
  func failure() throws {
    let server = try TestServer()
    let curl = try Curl(server.address, "/stream-fails", Self.prior)
    // 92: the stream was not closed cleanly.
    #expect(curl.exitStatus == 92)
  }

  @Test("with many requests at one time", arguments: [1, 2])
  func many(_ loops: Int) throws {
    let server = try TestServer(loops: loops)
    let url = "http://127.0.0.1:\(server.address.port)"
    let tool = try Tool(
      [
        "h2load", "-n", "3000", "-c", "6", "-m", "40", "\(url)/abc", "\(url)/block?1",
        "\(url)/stream?3x10000",
      ]
    )
    try #require(tool.status != 127, "apt-get install nghttp2-client")
    #expect(tool.output.contains("3000 succeeded, 0 failed, 0 errored, 0 timeout"), "\(tool.output)")
  }

  @Test("when its first bytes come one by one; and HTTP/1.1 when they only look alike")
  func opening() throws {
    let server = try TestServer()
    for (bytes, answer) in [
      (HTTP2Client.opened + HTTP2Client.get("/a", stream: 1), Array("\0\0\u{02}\0\u{01}\0\0\0\u{01}/a".utf8)),
      (Array("PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n".utf8), Array("HTTP/1.1 501".utf8)),
      (Array("PUT /a HTTP/1.1\r\nHost: a\r\n\r\n".utf8), Array("HTTP/1.1 200".utf8)),
      (Array("PRI * HTTP/2.1\r\n\r\n".utf8), Array("HTTP/1.1 50".utf8)),
    ] {
      let client = try HTTP2Client(server.address)
      for byte in bytes { try client.send([byte]) }
      #expect(client.reads(answer), "\(String(decoding: client.received, as: UTF8.self))")
    }
  }

  @Test("and pushes to a client as long as it stays, with heartbeats")
  func push() throws {
    let server = try TestServer()
    let client = try HTTP2Client(server.address)
    try client.send(
      HTTP2Client.opened + HTTP2Client.get("/push", stream: 1) + HTTP2Client.get("/push?beats", stream: 3)
    )
    #expect(client.reads(Array("first".utf8)))
    #expect(eventually { server.record.channels.count == 2 })
    server.record.channels[0].offer(Array("second".utf8))
    #expect(client.reads(Array("second".utf8)))
    for _ in 0..<3 { #expect(client.reads(Array("\0\0\u{02}\0\0\0\0\0\u{03}:\n".utf8))) }
    try client.send(HTTP2Client.reset(1))
    #expect(eventually { server.record.closedChannels == 1 })
    client.close()
    #expect(eventually { server.record.closedChannels == 2 })
  }

  @Test("and has 16 answers of a connection made at one time, streams that have begun left out")
  func concurrentWork() throws {
    let server = try TestServer()
    let client = try HTTP2Client(server.address)
    var bytes = HTTP2Client.opened
    for number in 0..<20 { bytes += HTTP2Client.get("/push", stream: Int32(2 * number + 1)) }
    for number in 20..<60 { bytes += HTTP2Client.get("/push-silent", stream: Int32(2 * number + 1)) }
    try client.send(bytes)
    try #require(eventually { server.record.channels.count == 20 + 16 })
    try client.send(HTTP2Client.ping)
    #expect(client.reads(HTTP2Client.pong) && server.record.channels.count == 20 + 16)
    for channel in server.record.channels[20..<25] { channel.answer(Response(status: .ok, text: "done")) }
    try #require(eventually { server.record.channels.count == 20 + 16 + 5 })
    server.record.channels[25].begin(Response(status: .ok))
    #expect(eventually { server.record.channels.count == 20 + 16 + 6 })
    try client.send(HTTP2Client.reset(2 * 27 + 1) + HTTP2Client.ping)
    #expect(client.reads(HTTP2Client.pong) && server.record.channels.count == 20 + 16 + 7)
  }

  @Test("and only begins, for HEAD, what comes in pieces or is pushed; it holds up nothing else")
  func head() throws {
    let server = try TestServer(workers: 1)
    let client = try HTTP2Client(server.address)
    try client.send(HTTP2Client.opened)
    for number in 0..<20 {
      let path = number % 2 == 0 ? "/stream?1000000x1000" : "/push"
      try client.send(HTTP2Client.get(path, stream: Int32(2 * number + 1), method: "HEAD"))
    }
    try client.send(HTTP2Client.get("/block", stream: 41))
    #expect(client.reads(Array("/block".utf8)))
    #expect(eventually { server.record.closedChannels == 10 && server.record.brokenStreams == 10 })
  }

  @Test("and waits for a client that gives no window, in bounded memory, then goes on without it")
  func noWindow() throws {
    let server = try TestServer { $0.write = .milliseconds(300) }
    let client = try HTTP2Client(server.address)
    try client.send(HTTP2Client.opened + HTTP2Client.get("/stream?1000x50000", stream: 1))
    #expect(eventually { server.record.pieces >= 2 })
    // RST_STREAM, CANCEL.
    #expect(client.reads([0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8]))
    #expect(eventually { server.record.brokenStreams == 1 } && server.record.pieces < 20)
    try client.send(HTTP2Client.windowUpdate(1_000_000) + HTTP2Client.get("/next", stream: 3))
    #expect(client.reads(Array("/next".utf8)))
  }

  @Test("and closes connections whose header section, or preface, does not come")
  func slow() throws {
    let server = try TestServer { $0.header = .milliseconds(200) }
    for bytes in [
      Array("PRI".utf8), Array(HTTP2Client.opened.prefix(24)),
      HTTP2Client.opened + [0, 0, 9, 1, 4, 0, 0, 0, 1],
    ] {
      let client = try HTTP2Client(server.address)
      try client.send(bytes)
      #expect(client.reads(nil))
    }
  }

  @Test("and stops gracefully: requests in progress are answered, streams end, and the client gets GOAWAY")
  func stop() throws {
    let server = try TestServer()
    let client = try HTTP2Client(server.address)
    let idle = try HTTP2Client(server.address)
    try client.send(
      HTTP2Client.opened + HTTP2Client.get("/gate", stream: 1) + HTTP2Client.get("/push", stream: 3)
    )
    try idle.send(HTTP2Client.opened + HTTP2Client.get("/a", stream: 1))
    #expect(idle.reads(Array("/a".utf8)) && client.reads(Array("first".utf8)))
    #expect(eventually { server.record.atGate == 1 })
    server.server.stop(deadline: .seconds(10))
    // GOAWAY with the highest stream there is.
    #expect(client.reads([7, 0, 0, 0, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF]))
    #expect(idle.reads(nil))
    server.record.openGate()
    #expect(client.reads(Array("through".utf8)) && client.reads(nil))
    server.server.wait()
    #expect(
      eventually {
        server.record.observations.contains { if case .stopped(cut: 0) = $0 { true } else { false } }
      }
    )
  }

  @Test("and cuts at the deadline of a stop what is not done")
  func stopDeadline() throws {
    let server = try TestServer(workers: 1)
    let client = try HTTP2Client(server.address)
    try client.send(HTTP2Client.opened + HTTP2Client.get("/gate", stream: 1))
    #expect(eventually { server.record.atGate == 1 })
    server.server.stop(deadline: .milliseconds(100))
    server.server.wait()
    #expect(client.reads(nil))
    #expect(server.cut == 1)
  }
}
