import Glibc
import HTTP
import HTTPServer
import Threading
import Sockets
import Testing

@Suite("the server and clients that misbehave")
struct ServerFaultTests {
  @Test(
    "what never ends is answered with 408 at its deadline, however its bytes trickle in",
    arguments: [
      ("GET / HTTP/1.1\r\n", "X: y\r\n"),
      ("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 10000\r\n\r\n", "abc"),
      ("POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n"),
    ]
  )
  func slowRequest(_ beginning: String, _ drop: String) throws {
    let server = try TestServer {
      $0.header = .milliseconds(150)
      $0.body = .milliseconds(150)
    }
    let client = try server.client()
    let canary = try server.client()
    let end = Instant.now() + .seconds(5)
    try client.send(beginning)
    // Far fewer drops come before the deadline than a limit of size would allow.
    while !client.hasEnded, Instant.now() < end {
      try? client.send(drop)
      try canary.get("/canary")
      #expect(try canary.answer().status == 200)
      usleep(20_000)
    }
    #expect(client.hasEnded)
    #expect(try client.answer().status == 408)
    #expect(try client.isClosed())
  }

  @Test("a connection without a request is closed at its deadline, a new one and one that was used")
  func idle() throws {
    let server = try TestServer {
      $0.header = .milliseconds(100)
      $0.idle = .milliseconds(100)
    }
    let fresh = try server.client()
    let used = try server.client()
    try used.get("/")
    #expect(try used.answer().status == 200)
    #expect(try fresh.isClosed())
    #expect(try used.isClosed())
  }

  @Test(
    "a client that does not read its response, or too slowly, is cut at the deadline, and its memory is given back",
    arguments: [("/big", 0), ("/stream?100000x65536", 0), ("/stream?100000x65536", 64 * 1024)]
  )
  func slowReader(_ path: String, _ readBytes: Int) throws {
    let server = try TestServer {
      $0.write = .milliseconds(300)
      $0.minimumWriteRate = 1024 * 1024 * 1024
    }
    let client = try server.client(receiveBuffer: readBytes == 0 ? 4096 : nil)
    try client.get(path)
    let end = Instant.now() + .seconds(5)
    while !client.hasEnded, Instant.now() < end {
      if readBytes > 0 { client.readSome(readBytes) }
      usleep(1000)
    }
    #expect(client.hasEnded && server.record.handled == [path])
    #expect(eventually { openSockets(localPort: server.address.port) == 0 })
  }

  @Test("a client that has finished sending still gets its responses")
  func halfClose() throws {
    let server = try TestServer()
    for path in ["/a", "/block?b", "/big"] {
      let client = try server.client()
      try client.get(path)
      try client.get(path)
      client.finishSending()
      for _ in 0..<2 { #expect(try client.answer().status == 200) }
      #expect(try client.isClosed())
    }
    #expect(eventually { openSockets(localPort: server.address.port) == 0 })
  }

  /// In a process of its own, whose descriptors are counted: of a connection that was reset the kernel's tables know
  /// nothing, though its descriptor may be open.
  @Test("clients that vanish at any moment leave no descriptor behind")
  func vanishing() throws {
    let server = try ExampleServer()
    let canary = try TestClient(server.address)
    func isAnswered() throws -> Bool {
      try canary.get("/hello")
      return try canary.answer().status == 200
    }
    #expect(try isAnswered())
    let before = try server.openDescriptors()
    for (beginning, isBegun) in [
      ("", false), ("GET", false), ("GET /\r\n", false), ("GET /hello HTTP/1.1\r\nHost: test\r\n\r\n", true),
      ("POST /shout HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nab", false),
      ("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n", false),
      ("GET /numbers HTTP/1.1\r\nHost: test\r\n\r\n", false),
      // In the middle of a response that the kernel has no room for.
      ("GET /numbers HTTP/1.1\r\nHost: test\r\n\r\n", true),
    ] {
      for resets in [false, true] {
        let client = try TestClient(server.address, receiveBuffer: 4096)
        try client.send(beginning)
        if isBegun {
          _ = try client.head()
          #expect(eventually { (try? server.isResting()) == true })
        }
        if resets { client.reset() } else { client.close() }
      }
    }
    #expect(eventually { (try? server.openDescriptors()) == before })
    #expect(try isAnswered())
  }

  @Test("work that waits for a worker is not done for a client that has gone")
  func cancelled() throws {
    let server = try TestServer(workers: 1)
    let first = try server.client()
    try first.get("/gate")
    #expect(eventually { server.record.atGate == 1 })
    let second = try server.client()
    try second.get("/gate")
    #expect(eventually { server.record.handled.count == 2 })
    second.reset()
    #expect(eventually { openSockets(localPort: server.address.port) == 1 })
    server.record.openGate()
    #expect(try first.answer().status == 200)
    try first.get("/block")
    #expect(try first.answer().status == 200)
    #expect(server.record.atGate == 1)
  }

  @Test(
    "a connection beyond a limit gets 503 and is closed; a place that becomes free is taken",
    arguments: [true, false]
  )
  func connectionLimits(_ total: Bool) throws {
    let server = try TestServer {
      if total { $0.connections = 2 } else { $0.connectionsPerAddress = 2 }
    }
    let clients = try (0..<2).map { _ in try server.client() }
    for client in clients {
      try client.get("/")
      #expect(try client.answer().status == 200)
    }
    let third = try server.client()
    let answer = try third.answer()
    #expect(answer.status == 503 && answer.fields["retry-after"] == "1")
    #expect(try third.isClosed())
    clients[0].close()
    #expect(
      eventually {
        guard let client = try? server.client() else { return false }
        try? client.get("/")
        return (try? client.answer().status) == 200
      }
    )
    let limits = server.record.observations.compactMap { observation -> ConnectionLimit? in
      if case .refusedConnection(let limit, _, _) = observation { limit } else { nil }
    }
    #expect(limits.first == (total ? .total : .perAddress))
  }

  @Test("a flood of garbage leads to one observation a second")
  func noLogFlood() throws {
    let server = try TestServer()
    let start = Instant.now()
    for _ in 0..<50 {
      let client = try server.client()
      try client.send("\u{16}\u{03}\u{01}")
      #expect(try client.answer().status == 400)
    }
    let seconds = (Instant.now().nanoseconds - start.nanoseconds) / 1_000_000_000
    let reported = server.record.observations.count { if case .refusedRequest = $0 { true } else { false } }
    #expect(reported >= 1 && reported <= Int(seconds) + 2)
  }
}
