import Glibc
import HTTP
import HTTPServer
import Threading
import Sockets
import TestSupport
import Testing

@Suite("the server and more than it can take")
struct ServerOverloadTests {
  @Test("without descriptors it serves open connections, does not spin, and recovers")
  func descriptors() throws {
    let server = try ExampleServer(descriptors: 40)
    let canary = try TestClient(server.address)
    func isAnswered() throws -> Bool {
      try canary.get("/hello")
      return try canary.answer().body == "Hello, world!\n"
    }
    #expect(try isAnswered())
    var crowd = try (0..<100).map { _ in try TestClient(server.address) }
    #expect(eventually { (try? server.openDescriptors()) == 40 })
    let before = try server.processorTime()
    let end = Instant.now() + .milliseconds(500)
    while Instant.now() < end {
      #expect(try isAnswered())
      usleep(10_000)
    }
    // A loop that spins takes all the half second that it can get.
    #expect(try server.processorTime() - before < 0.2)
    crowd.removeAll()
    let late = try TestClient(server.address)
    try late.get("/hello")
    #expect(try late.answer().status == 200)
    #expect(try isAnswered())
    server.process.signal(SIGTERM)
    #expect(try server.process.wait(within: .seconds(20)) == .exited(0))
  }

  @Test("crowds of slow clients are closed by their deadlines, while another client is answered throughout")
  func crowds() throws {
    let server = try TestServer(loops: 2) {
      $0.header = .seconds(1)
      $0.body = .milliseconds(400)
      $0.write = .milliseconds(400)
      $0.linger = .milliseconds(50)
    }
    let canary = try server.client()
    try canary.get("/canary")
    #expect(try canary.answer().status == 200)
    let beginnings = [
      "GET / HTTP/1.1\r\nHost: te", "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nslow",
      "GET /big HTTP/1.1\r\nHost: test\r\n\r\n",
    ]
    var crowd: [TestClient] = []
    for number in 0..<150 {
      let client = try server.client(receiveBuffer: 4096)
      try client.send(beginnings[number % 3])
      crowd.append(client)
    }
    var answers = 0
    #expect(
      eventually {
        try? canary.get("/canary")
        guard (try? canary.answer().status) == 200 else { return false }
        answers += 1
        return openSockets(localPort: server.address.port) == 1
      }
    )
    #expect(answers > 1)
    let refused = server.record.answered.filter { $0.status == .requestTimeout }.count
    #expect(refused == 100)
  }

  @Test("a slow response holds only its own client up, and 503 says when to try again")
  func slowWork() throws {
    let server = try TestServer(workers: 1) { $0.waitingForWorker = 3 }
    let clients = try (0..<4).map { _ in try server.client() }
    // The first one must have left the queue before three more fill it.
    try clients[0].get("/gate")
    #expect(eventually { server.record.atGate == 1 })
    for client in clients[1...] { try client.get("/gate") }
    #expect(eventually { server.record.handled.count == 4 })
    let other = try server.client()
    try other.get("/block")
    let answer = try other.answer()
    #expect(answer.status == 503 && answer.fields["retry-after"] == "1")
    // Answers in pieces have threads of their own.
    for path in ["/ready", "/stream?1x1"] {
      try other.get(path)
      #expect(try other.answer().status == 200)
    }
    server.record.openGate()
    for client in clients { #expect(try client.answer().status == 200) }
  }
}
