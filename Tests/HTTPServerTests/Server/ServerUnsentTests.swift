import Foundation
import HTTP
import HTTPCases
import HTTPServer
import Sockets
import Testing

@Suite("large responses that clients are slow to read")
struct ServerUnsentTests {
  private static let mebibyte = 1 << 20

  /// Kibibytes that this process has in memory.
  private var resident: Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
    return line.flatMap { Int($0.split(whereSeparator: { $0 == " " || $0 == "\t" })[1]) } ?? 0
  }

  private func unsent(_ server: TestServer) -> Int { Int(server.metric("t_unsent_bytes") ?? -1) }

  @Test(
    "are kept once for all subscribers of the same, whichever version they speak",
    arguments: [false, true]
  )
  func sharedMessage(isHTTP2: Bool) throws {
    let server = try TestServer()
    var clients: [TestClient] = []
    let subscribers = 60
    for number in 1...subscribers {
      let client = try server.client(receiveBuffer: 4096)
      if isHTTP2 {
        var writer = FrameWriter.opened()
        writer.setting(4, 0x7FFF_FFFF)
        writer.windowUpdate(0x7FFF_FFFF - 65_535)
        writer.get("/push", stream: 1)
        try client.send(writer.bytes)
      } else {
        try client.get("/push")
      }
      #expect(eventually { server.record.channels.count == number })
      clients.append(client)
    }
    let before = resident
    let message = [UInt8](repeating: 0x78, count: 8 * Self.mebibyte)
    for channel in server.record.channels { channel.offer(message) }
    // Each subscriber's turn has come: a message behind its first one waits. HTTP/2 takes as much as it sends at once.
    let taken = Double(subscribers * (isHTTP2 ? 64 * 1024 : message.count))
    #expect(eventually { server.metric("t_sent_bytes_total") ?? 0 >= taken })
    #expect(unsent(server) == message.count)
    for channel in server.record.channels { channel.offer(message) }
    #expect(unsent(server) == message.count)
    #expect(resident - before < subscribers * message.count / 1024 / 2)
    for client in clients { client.reset() }
    #expect(eventually { unsent(server) == 0 })
  }

  @Test(
    "beyond what there is room for are a 503 for others, until it is read or given up",
    arguments: [false, true]
  )
  func budget(isHTTP2: Bool) throws {
    let server = try TestServer { $0.unsentBodies = 12 * Self.mebibyte }
    let slow = try server.client(receiveBuffer: 4096)
    if isHTTP2 {
      var writer = FrameWriter.opened()
      writer.setting(4, 0)
      writer.get("/own?8000000", stream: 1)
      try slow.send(writer.bytes)
    } else {
      try slow.get("/own?8000000")
    }
    #expect(eventually { unsent(server) == 8_000_000 })

    let other = try server.client()
    try other.get("/own?8000000")
    let refused = try other.answer()
    #expect(refused.status == 503 && refused.fields["retry-after"] == "1")
    try other.get("/own?1000")
    #expect(try other.answer().body.utf8.count == 1000, "small answers are not held up")
    try other.get("/own?4000000")
    #expect(try other.answer().body.utf8.count == 4_000_000, "there is room for this one")

    slow.reset()
    #expect(eventually { unsent(server) == 0 })
    try other.get("/own?8000000")
    #expect(try other.answer().body.utf8.count == 8_000_000)
    #expect(eventually { unsent(server) == 0 })
  }

  @Test("that are the same for many count once, and one alone is never too much")
  func shared() throws {
    let server = try TestServer { $0.unsentBodies = Self.mebibyte }
    let clients = try (0..<5).map { _ in try server.client(receiveBuffer: 4096) }
    for client in clients {
      try client.get("/big")
      #expect(try client.head().status == 200)
    }
    #expect(unsent(server) == server.record.big.count)
    for client in clients { client.close() }
    #expect(eventually { unsent(server) == 0 })
  }

  @Test("cut off a subscriber for whose message there is no room", arguments: [false, true])
  func subscriber(isHTTP2: Bool) throws {
    let server = try TestServer { $0.unsentBodies = Self.mebibyte }
    let slow = try server.client(receiveBuffer: 4096)
    try slow.get("/own?8000000")
    #expect(eventually { unsent(server) == 8_000_000 })
    if isHTTP2 {
      let client = try HTTP2Client(server.address)
      try client.send(HTTP2Client.opened + HTTP2Client.get("/push", stream: 1))
      #expect(eventually { server.record.channels.count == 1 })
      server.record.channels[0].offer([UInt8](repeating: 0x78, count: Self.mebibyte))
      #expect(client.reads { $0.resets[1] == 11 }, "ENHANCE_YOUR_CALM")
    } else {
      let client = try server.client()
      try client.get("/push")
      #expect(eventually { server.record.channels.count == 1 })
      server.record.channels[0].offer([UInt8](repeating: 0x78, count: Self.mebibyte))
      #expect(throws: ClientError.self) { while try client.chunk() != nil {} }
    }
    #expect(eventually { server.record.closedChannels == 1 })
  }
}
