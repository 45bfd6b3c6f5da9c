import Glibc
import HTTP
import HTTPServer
import Threading
import Sockets
import Testing

@Suite("answers in pieces")
struct ServerStreamTests {
  @Test(
    "arrive whole, in chunks, and the connection lives on",
    arguments: ["3x5", "1x1", "0x0", "100x100000", "3x32768", "2x300000"]
  )
  func whole(_ shape: String) throws {
    let server = try TestServer()
    let client = try server.client()
    let numbers = shape.split(separator: "x").compactMap { Int($0) }
    for _ in 0..<2 {
      try client.get("/stream?\(shape)")
      let answer = try client.answer()
      #expect(answer.status == 200 && answer.fields["x"] == "y")
      #expect(answer.fields["transfer-encoding"] == "chunked" && answer.fields["content-length"] == nil)
      let expected = (0..<numbers[0]).map {
        String(repeating: String(UnicodeScalar(UInt8(ascii: "a") + UInt8($0 % 26))), count: numbers[1])
      }
      #expect(answer.body == expected.joined())
    }
    try client.get("/next")
    #expect(try client.answer().body == "/next")
  }

  @Test("end with the connection in HTTP/1.0, which knows no chunks")
  func http10() throws {
    let server = try TestServer()
    let client = try server.client()
    try client.send("GET /stream?3x100000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    let head = try client.head()
    #expect(head.fields["transfer-encoding"] == nil && head.fields["connection"] == "close")
    #expect(try client.rest().utf8.count == 300_000)
  }

  @Test("are only begun for HEAD, and for a status without content", arguments: ["HEAD", "GET"])
  func headOnly(_ method: String) throws {
    let server = try TestServer(workers: 1)
    let client = try server.client()
    let path = method == "HEAD" ? "/stream?1000000x1000" : "/stream-not-modified"
    try client.send("\(method) \(path) HTTP/1.1\r\nHost: test\r\n\r\n")
    #expect(try client.head().status == (method == "HEAD" ? 200 : 304))
    // The one worker is free again.
    try client.get("/block")
    #expect(try client.answer().body == "/block")
  }

  @Test("are cut without their last chunk when they fail, and by a reset where the end would look whole")
  func failure() throws {
    let server = try TestServer()
    for version in ["1.1", "1.0"] {
      let client = try server.client()
      try client.send("GET /stream-fails HTTP/\(version)\r\nHost: test\r\n\r\n")
      #expect {
        _ = try client.answer()
        _ = try client.rest()
      } throws: { ($0 as? ClientError)?.code == ECONNRESET }
    }
    #expect(eventually { openSockets(localPort: server.address.port) == 0 })
  }

  @Test("are a 500 when they never began")
  func notBegun() throws {
    let server = try TestServer()
    let client = try server.client()
    try client.get("/stream-not-begun")
    #expect(try client.answer().status == 500)
    try client.get("/next")
    #expect(try client.answer().status == 200)
  }

  @Test("wait for a slow client, in bounded memory, and go on when it reads")
  func backpressure() throws {
    let server = try TestServer(workers: 1)
    let client = try server.client(receiveBuffer: 8192)
    try client.get("/stream?2000x20000")
    #expect(eventually { server.record.pieces > 0 })
    var pieces = 0
    #expect(
      eventually {
        defer { pieces = server.record.pieces }
        usleep(20_000)
        return pieces == server.record.pieces
      }
    )
    // What the kernel holds is its own business: a few megabytes of forty.
    #expect(pieces < 1000)
    #expect(try client.answer().body.utf8.count == 40_000_000)
  }

  @Test("end for a client that does not read, and the worker is free again")
  func slowReader() throws {
    let server = try TestServer(workers: 1) { $0.write = .milliseconds(150) }
    let client = try server.client(receiveBuffer: 4096)
    try client.get("/stream?100000x65536")
    #expect(eventually { server.record.brokenStreams == 1 })
    let other = try server.client()
    try other.get("/block")
    #expect(try other.answer().body == "/block")
  }

  @Test("that are read slowly, as many as there are workers, leave the workers to others")
  func slowReaders() throws {
    let server = try TestServer(workers: 2)
    let clients = try (0..<2).map { _ in try server.client(receiveBuffer: 4096) }
    for client in clients { try client.get("/stream?100000x65536") }
    for client in clients { _ = try client.head() }
    let other = try server.client()
    for _ in 0..<3 {
      try other.get("/block")
      #expect(try other.answer().body == "/block")
    }
  }

  @Test("end when the client leaves", arguments: [true, false])
  func leaving(_ resets: Bool) throws {
    let server = try TestServer()
    let client = try server.client(receiveBuffer: 4096)
    try client.get("/stream?1000000x65536")
    _ = try client.head()
    if resets { client.reset() } else { client.close() }
    #expect(eventually { server.record.brokenStreams == 1 })
    #expect(eventually { openSockets(localPort: server.address.port) == 0 })
  }

  @Test("do not keep other clients waiting, however fast they are read")
  func fairness() throws {
    let server = try TestServer()
    let client = try server.client()
    try client.get("/stream?2000x65536")
    let canary = try server.client()
    for _ in 0..<20 {
      try canary.get("/canary")
      #expect(try canary.answer().status == 200)
    }
    #expect(try client.answer().body.utf8.count == 2000 * 65536)
  }

  @Test("are finished when the server stops")
  func stop() throws {
    let server = try TestServer()
    let client = try server.client(receiveBuffer: 8192)
    try client.get("/stream?300x65536")
    _ = try client.head()
    server.server.stop(deadline: .seconds(20))
    var count = 0
    while let chunk = try client.chunk() { count += chunk.utf8.count }
    #expect(count == 300 * 65536)
    #expect(try client.isClosed())
    client.close()
    server.server.wait()
    #expect(server.cut == 0)
  }

  @Test("keep the order of pipelined requests")
  func pipelined() throws {
    let server = try TestServer()
    let client = try server.client()
    let paths = ["/1", "/stream?2x3", "/2", "/block", "/stream?1x1", "/3"]
    try client.send(paths.map { "GET \($0) HTTP/1.1\r\nHost: test\r\n\r\n" }.joined())
    #expect(try paths.map { _ in try client.answer().body } == ["/1", "aaabbb", "/2", "/block", "a", "/3"])
  }
}
