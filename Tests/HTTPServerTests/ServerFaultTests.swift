import Glibc
import HTTP
import HTTPServer
import Sockets
import Testing

@Suite("the server and clients that misbehave")
struct ServerFaultTests {
  @Test("a head that never ends is answered with 408 at its deadline, however its bytes trickle in")
  func slowHead() throws {
    let server = try TestServer { $0.header = .milliseconds(150) }
    let client = try server.client()
    let canary = try server.client()
    let start = Instant.now()
    try client.send("GET / HTTP/1.1\r\n")
    var sent = 0
    while Instant.now() < start + .milliseconds(140) {
      try client.send("X: y\r\n")
      sent += 1
      try canary.get("/canary")
      #expect(try canary.answer().status == 200)
      usleep(20_000)
    }
    #expect(try client.answer().status == 408)
    #expect(try client.isClosed())
    #expect(Instant.now() < start + .seconds(3))
  }

  @Test("a body that never ends is answered with 408 at its deadline")
  func slowBody() throws {
    let server = try TestServer { $0.body = .milliseconds(100) }
    let client = try server.client()
    try client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nabc")
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

  @Test("a client that does not read its answer is cut at the deadline, and its memory is given back")
  func slowReader() throws {
    let server = try TestServer {
      $0.write = .milliseconds(150)
      $0.minimumWriteRate = 1024 * 1024 * 1024
    }
    let client = try server.client(receiveBuffer: 4096)
    try client.get("/big")
    #expect(eventually { openSockets(localPort: server.address.port) == 0 })
  }

  @Test("a client that has finished sending still gets its answers")
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

  @Test("clients that vanish at any moment leave no descriptor behind")
  func vanishing() throws {
    let server = try TestServer(workers: 1)
    let beginnings = [
      "", "GET", "GET / HTTP/1.1\r\nHost: test\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nab",
      "GET /big HTTP/1.1\r\nHost: test\r\n\r\n", "GET /gate HTTP/1.1\r\nHost: test\r\n\r\n", "GET /\r\n",
    ]
    for beginning in beginnings {
      for resets in [false, true] {
        let client = try server.client(receiveBuffer: 4096)
        try client.send(beginning)
        if resets { client.reset() } else { client.close() }
      }
    }
    server.record.openGate()
    #expect(eventually { openSockets(localPort: server.address.port) == 0 })
    let client = try server.client()
    try client.get("/after")
    #expect(try client.answer().body == "/after")
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
    let told = server.record.observations.count { if case .refusedRequest = $0 { true } else { false } }
    #expect(told >= 1 && told <= Int(seconds) + 2)
  }
}
