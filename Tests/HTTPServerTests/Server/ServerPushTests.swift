import Glibc
import HTTP
import HTTPServer
import Threading
import Sockets
import Testing

@Suite("responses that go on")
struct ServerPushTests {
  private func subscribe(_ server: TestServer, _ client: TestClient, _ path: String = "/push") throws {
    let count = server.record.channels.count
    try client.get(path)
    let head = try client.head()
    #expect(head.status == 200 && head.fields["content-type"] == "text/event-stream")
    #expect(head.fields["transfer-encoding"] == "chunked")
    #expect(try client.chunk() == "first")
    #expect(eventually { server.record.channels.count == count + 1 })
  }

  @Test("bring each message to a client that reads, and end in order")
  func messages() throws {
    let server = try TestServer()
    let client = try server.client()
    try subscribe(server, client)
    for number in 0..<20 {
      server.record.channels[0].offer(Array("message \(number)".utf8))
      #expect(try client.chunk() == "message \(number)")
    }
    server.record.channels[0].offer(Array("last".utf8))
    server.record.channels[0].end()
    server.record.channels[0].offer(Array("too late".utf8))
    #expect(try client.chunk() == "last")
    #expect(try client.chunk() == nil)
    #expect(eventually { server.record.closedChannels == 1 })
    try client.get("/next")
    #expect(try client.answer().body == "/next")
  }

  @Test("send heartbeats when there is nothing else")
  func heartbeat() throws {
    let server = try TestServer()
    let client = try server.client()
    try subscribe(server, client, "/push?beats")
    for _ in 0..<3 { #expect(try client.chunk() == ":\n") }
  }

  @Test("skip to the newest message for a client that reads slowly, and never cut one")
  func skipping() throws {
    let server = try TestServer()
    let client = try server.client(receiveBuffer: 4096)
    try subscribe(server, client)
    let channel = server.record.channels[0]
    let padding = [UInt8](repeating: UInt8(ascii: " "), count: 100_000)
    for number in 0..<1000 { channel.offer(Array("\(number)".utf8) + padding) }
    var last = -1
    var count = 0
    while last < 999, let chunk = try client.chunk() {
      let number = Int(chunk.prefix { $0 != " " }) ?? -1
      #expect(number > last && chunk.utf8.count == padding.count + "\(number)".utf8.count)
      last = number
      count += 1
    }
    #expect(last == 999 && count < 500)
  }

  @Test("a client that does not read is cut at its deadline")
  func slowReader() throws {
    let server = try TestServer { $0.write = .milliseconds(100) }
    let client = try server.client(receiveBuffer: 4096)
    try subscribe(server, client)
    let message = [UInt8](repeating: 0x78, count: 4_000_000)
    server.record.channels[0].offer(message)
    #expect(eventually { server.record.closedChannels == 1 })
  }

  @Test("report once that the client is gone, however it goes", arguments: ["close", "reset", "half"])
  func gone(_ how: String) throws {
    let server = try TestServer()
    let client = try server.client()
    try subscribe(server, client)
    switch how {
    case "close": client.close()
    case "reset": client.reset()
    default: client.finishSending()
    }
    #expect(eventually { server.record.closedChannels == 1 })
    #expect(eventually { openSockets(localPort: server.address.port) == 0 })
    let reported = Flag()
    server.record.channels[0].whenClosed { reported.set() }
    #expect(reported.isSet, "a later handler is called at once")
    server.record.channels[0].offer([1])
    server.record.channels[0].end()
    #expect(server.record.closedChannels == 1)
  }

  @Test("can be a whole response instead")
  func wholeAnswer() throws {
    let server = try TestServer()
    let client = try server.client()
    try client.get("/push-silent")
    #expect(eventually { server.record.channels.count == 1 })
    server.record.channels[0].answer(Response(status: .notFound, text: "no"))
    let answer = try client.answer()
    #expect(answer.status == 404 && answer.body == "no")
    #expect(eventually { server.record.closedChannels == 1 })
    try client.get("/next")
    #expect(try client.answer().body == "/next")
  }

  @Test("can be a whole response also for a client that has finished sending")
  func halfClosed() throws {
    let server = try TestServer()
    let client = try server.client()
    try client.get("/push-silent")
    client.finishSending()
    #expect(eventually { server.record.channels.count == 1 })
    usleep(20_000)
    server.record.channels[0].answer(Response(status: .ok, text: "yes"))
    #expect(try client.answer().body == "yes")
    #expect(try client.isClosed())
    #expect(eventually { server.record.closedChannels == 1 })
  }

  @Test("that have not begun end when their client breaks the connection")
  func broken() throws {
    let server = try TestServer()
    let client = try server.client()
    try client.get("/push-silent")
    #expect(eventually { server.record.channels.count == 1 })
    client.reset()
    #expect(eventually { server.record.closedChannels == 1 })
  }

  @Test("that end before they begin are a 500")
  func endWithoutBeginning() throws {
    let server = try TestServer()
    let client = try server.client()
    try client.get("/push-silent")
    #expect(eventually { server.record.channels.count == 1 })
    server.record.channels[0].end()
    #expect(try client.answer().status == 500)
  }

  @Test("are only begun for HEAD")
  func head() throws {
    let server = try TestServer()
    let client = try server.client()
    try client.send("HEAD /push HTTP/1.1\r\nHost: test\r\n\r\n")
    #expect(try client.head().fields["content-type"] == "text/event-stream")
    #expect(eventually { server.record.closedChannels == 1 })
    try client.get("/next")
    #expect(try client.answer().body == "/next")
  }

  @Test("come bare in HTTP/1.0")
  func http10() throws {
    let server = try TestServer()
    let client = try server.client()
    try client.send("GET /push HTTP/1.0\r\n\r\n")
    #expect(try client.head().fields["transfer-encoding"] == nil)
    #expect(eventually { server.record.channels.count == 1 })
    server.record.channels[0].offer(Array(" second".utf8))
    server.record.channels[0].end()
    #expect(try client.rest() == "first second")
  }

  @Test("let a request that was pipelined behind wait for their end")
  func pipelined() throws {
    let server = try TestServer()
    let client = try server.client()
    try client.send("GET /push HTTP/1.1\r\nHost: test\r\n\r\nGET /behind HTTP/1.1\r\nHost: test\r\n\r\n")
    _ = try client.head()
    #expect(try client.chunk() == "first")
    #expect(eventually { server.record.channels.count == 1 })
    #expect(server.record.handled == ["/push"])
    server.record.channels[0].end()
    #expect(try client.chunk() == nil)
    #expect(try client.answer().body == "/behind")
  }

  @Test("end in order when the server stops; what has not begun is waited for")
  func stop() throws {
    let server = try TestServer()
    let client = try server.client()
    try subscribe(server, client)
    let waiting = try server.client()
    try waiting.get("/push-silent")
    #expect(eventually { server.record.channels.count == 2 })
    let late = try server.client()
    try late.get("/push-silent")
    #expect(eventually { server.record.channels.count == 3 })
    server.server.stop(deadline: .seconds(20))
    #expect(try client.chunk() == nil)
    #expect(try client.isClosed())
    // A whole response is sent; a stream would have no end, and so ends where it begins.
    server.record.channels[1].answer(Response(status: .ok, text: "in time"))
    #expect(try waiting.answer().body == "in time")
    server.record.channels[2].begin(Response(status: .ok))
    #expect(try late.head().status == 200)
    #expect(try late.chunk() == nil)
    client.close()
    waiting.close()
    late.close()
    server.server.wait()
    #expect(server.cut == 0 && server.record.closedChannels == 3)
  }

  @Test("many at a time, each with its message")
  func many() throws {
    let server = try TestServer(loops: 2)
    let clients = try (0..<200).map { _ in try server.client() }
    for client in clients { try subscribe(server, client) }
    for (number, channel) in server.record.channels.enumerated() { channel.offer(Array("\(number)".utf8)) }
    let got = try clients.compactMap { try $0.chunk() }
    #expect(Set(got).count == 200)
  }
}
