import HTTPCases
import Testing

@Suite("turns of connections")
struct ServerTurnTests {
  @Test("a thousand requests at once do not keep the loop from others", arguments: [false, true])
  func pipelined(isHTTP2: Bool) throws {
    let server = try TestServer()
    let many = try server.client()
    if isHTTP2 {
      var writer = FrameWriter.opened()
      writer.get("/held", stream: 1)
      for number in 1...90 { writer.get("/many", stream: Int32(2 * number + 1)) }
      try many.send(writer.bytes)
    } else {
      try many.send(
        String(repeating: "GET /held HTTP/1.1\r\nHost: a\r\n\r\n", count: 1)
          + String(repeating: "GET /many HTTP/1.1\r\nHost: a\r\n\r\n", count: 1000)
      )
    }
    // The loop stands still in the first request's handler until the other's request is there.
    #expect(eventually { server.record.atGate == 1 })
    let other = try server.client()
    try other.get("/other")
    server.record.openGate()
    #expect(try other.answer().body == "/other")
    let before = server.record.handled.prefix { $0 != "/other" }.count
    #expect(before < 80, "\(before) requests of one connection went first")
    // All are answered all the same.
    #expect(eventually { server.record.handled.count == (isHTTP2 ? 92 : 1002) })
  }

  @Test(
    "pieces that fill the output to its last byte are not the last ones that an HTTP/2 client gets",
    arguments: [65_536, 65_500, 131_072, 16_384, 70_000]
  )
  func fullOutput(_ size: Int) throws {
    let server = try TestServer()
    let client = try HTTP2Client(server.address)
    var writer = FrameWriter.opened()
    writer.setting(4, 1 << 20)
    writer.windowUpdate(1 << 24)
    writer.get("/stream?5x\(size)", stream: 1)
    try client.send(writer.bytes)
    #expect(client.reads { $0.content[1]?.count == 5 * size })
    #expect(client.reads { $0.frames.contains { $0.stream == 1 && $0.type == 0 && $0.flags & 1 == 1 } })
  }
}
