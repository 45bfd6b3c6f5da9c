import Glibc
import HTTP
import HTTPServer
import Threading
import Sockets
import Testing

@Suite("starting and stopping a server")
struct ServerLifecycleTests {
  private func server(_ address: SocketAddress = .loopback()) -> Server {
    Server(address: address, loops: 2, workers: 1) { .ready(Response(status: .ok, text: $0.target.raw)) }
  }

  @Test("a port that is taken is an error, and nothing is left of the attempt")
  func portTaken() throws {
    let first = server()
    try first.start()
    let second = server(first.boundAddress)
    #expect { try second.start() } throws: { ($0 as? SystemError)?.code == EADDRINUSE }
    second.stop()
    second.wait()
    first.stop()
    first.wait()
    let third = server(first.boundAddress)
    try third.start()
    #expect(third.boundAddress == first.boundAddress)
    third.stop()
    third.wait()
  }

  @Test("a stop closes idle connections, finishes what is in progress, and takes nothing new")
  func gracefulStop() throws {
    let server = try TestServer(loops: 2, workers: 1)
    let idle = try server.client()
    try idle.get("/")
    #expect(try idle.answer().status == 200)
    let fresh = try server.client()
    let busy = try server.client()
    try busy.get("/gate")
    let partial = try server.client()
    try partial.send("GET /partial HTTP/1.1\r\nHost: te")
    #expect(eventually { server.record.atGate == 1 })
    #expect(eventually { openSockets(localPort: server.address.port) == 4 })
    server.server.stop(deadline: .seconds(10))
    #expect(try idle.isClosed())
    #expect(try fresh.isClosed())
    // One loop may stop a moment later than the other.
    #expect(eventually { (try? server.client()) == nil })
    try partial.send("st\r\n\r\n")
    let last = try partial.answer()
    #expect(last.body == "/partial" && last.fields["connection"] == "close")
    partial.close()
    server.record.openGate()
    let answer = try busy.answer()
    #expect(answer.body == "through" && answer.fields["connection"] == "close")
    busy.close()
    server.server.wait()
    #expect(server.cut == 0)
  }

  @Test("a stop cuts at its deadline what is not done, and says how much")
  func deadline() throws {
    let server = try TestServer(workers: 1)
    let busy = try server.client()
    try busy.get("/gate")
    #expect(eventually { server.record.atGate == 1 })
    let start = Instant.now()
    server.server.stop(deadline: .milliseconds(100))
    server.server.wait()
    #expect(Instant.now() >= start + .milliseconds(100))
    #expect(Instant.now() < start + .seconds(5))
    #expect(try busy.isClosed())
    #expect(server.cut == 1)
  }

  @Test("a stop under load loses no request that was answered in part")
  func stopUnderLoad() throws {
    let server = try TestServer(loops: 2)
    let clients = try (0..<40).map { _ in try server.client() }
    for client in clients { try client.get("/big") }
    #expect(eventually { server.record.handled.count == 40 })
    server.server.stop(deadline: .seconds(20))
    for client in clients {
      #expect(try client.answer().body.utf8.count == 8 * 1024 * 1024)
      client.close()
    }
    server.server.wait()
    #expect(server.cut == 0)
  }
}

extension TestServer {
  /// How many connections the stop has cut; nil before its end.
  var cut: Int? {
    record.observations.compactMap { observation -> Int? in
      if case .stopped(let cut) = observation { cut } else { nil }
    }.first
  }
}
