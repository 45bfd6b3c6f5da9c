import Foundation
import HTTP
import HTTPCases
import HTTPServer
import Sockets
import Testing

/// What the session's tests feed to it in memory, here over a socket, with what the connection then does.
@Suite("HTTP/2 over a socket")
struct HTTP2CasesTests {
  @Test(
    "what is no request by our rules gets its status or a reset, and the connection goes on",
    arguments: RefusedStream.answered.map { ($0, false) } + RefusedStream.reset.map { ($0, true) }
  )
  func refused(_ example: RefusedStream, _ isReset: Bool) throws {
    let server = try TestServer()
    var writer = FrameWriter.opened()
    writer.section(example.fields, stream: 1)
    writer.get("/next", stream: 3)
    for cutting in Cutting.all(writer.bytes.count, everywhere: false) {
      let client = try HTTP2Client(server.address)
      try cutting.send(writer.bytes, to: client.client, of: server)
      let isRefused = client.reads { reader in
        isReset
          ? reader.resets[1] == UInt32(example.code) && reader.headers[1] == nil
          : reader.headers[1]?[":status"] == "\(example.code)"
      }
      #expect(isRefused, "\(cutting)")
      #expect(client.reads { $0.content[3] == Array("/next".utf8) && $0.goAway == nil }, "\(cutting)")
    }
    #expect(Set(server.record.handled) == ["/next"])
  }

  @Test(
    "what breaks the protocol ends the connection with its code, and nothing behind it is done",
    arguments: FatalFrames.all.filter { $0.bytes.starts(with: FrameWriter.preface) }
  )
  func fatal(_ example: FatalFrames) throws {
    let server = try TestServer()
    let bytes = example.bytes + HTTP2Client.get("/behind", stream: 101)
    for cutting in Cutting.all(bytes.count, everywhere: true) {
      let client = try HTTP2Client(server.address)
      try? cutting.send(bytes, to: client.client, of: server)
      #expect(client.reads { $0.goAway == example.code }, "\(cutting)")
      #expect(client.reads(nil), "it ends, \(cutting)")
    }
    #expect(!server.record.handled.contains("/behind"))
  }

  @Test("content that is longer or shorter than its length says is a reset")
  func lengthDisagrees() throws {
    let server = try TestServer()
    let client = try HTTP2Client(server.address)
    var writer = FrameWriter.opened()
    for (stream, content) in [(1, "abc"), (3, "a")] as [(Int32, String)] {
      let fields = FrameWriter.request("POST", "/echo") + [("content-length", "2")]
      writer.headers(fields, stream: stream, ends: false)
      writer.data(Array(content.utf8), stream: stream, ends: true)
    }
    try client.send(writer.bytes + HTTP2Client.get("/next", stream: 5))
    #expect(client.reads { $0.resets == [1: 1, 3: 1] && $0.content[5] == Array("/next".utf8) })
    #expect(server.record.handled == ["/next"])
  }

  @Test("a stream more than announced is refused, and not the connection")
  func tooManyStreams() throws {
    let server = try TestServer()
    let client = try HTTP2Client(server.address)
    var writer = FrameWriter.opened()
    for number in 0..<101 { writer.get("/push", stream: Int32(2 * number + 1)) }
    try client.send(writer.bytes)
    #expect(client.reads { $0.resets == [201: 7] })
    try client.send(HTTP2Client.reset(1) + HTTP2Client.get("/next", stream: 203))
    #expect(client.reads { $0.content[203] == Array("/next".utf8) && $0.goAway == nil })
    #expect(server.record.channels.count == 100)
  }

  @Test(
    "streams that are reset, by either side, again and again end it; their work is dropped",
    arguments: Flood.resets
  )
  func resets(_ flood: Flood) throws {
    let server = try TestServer(workers: 2)
    let client = try HTTP2Client(server.address)
    try client.send(FrameWriter.opened().bytes)
    for start in stride(from: 0, to: 20_000, by: 10) {
      let drops = FrameWriter.bytes { writer in
        for number in start..<(start + 10) { flood.write(&writer, Int32(2 * number + 1)) }
      }
      do { try client.send(drops) } catch { break }
    }
    #expect(client.reads { $0.goAway == flood.code })
    #expect(client.reads(nil))
    #expect(server.record.handled.count <= 300)
    server.record.openGate()
    let other = try server.client()
    try other.get("/block?other")
    #expect(try other.answer().body == "/block?other")
    #expect(server.record.atGate <= 2, "nothing is done for streams that are gone, but what had begun")
  }

  @Test("floods, endless header sections and HPACK bombs end in time, and cost the server no memory")
  func floods() throws {
    let server = try ExampleServer()
    let canary = try TestClient(server.address)
    func isAnswered() throws -> Bool {
      try canary.get("/hello")
      return try canary.answer().status == 200
    }
    /// Nil: there is no end, but a status on the stream.
    func send(_ code: UInt32?, _ description: String, _ bytes: [UInt8]) throws {
      let client = try HTTP2Client(server.address)
      try? client.send(bytes)
      if let code {
        #expect(client.reads { $0.goAway == code } && client.reads(nil), "\(description)")
      } else {
        #expect(client.reads { $0.headers[1]?[":status"] == "431" && $0.goAway == nil }, "\(description)")
      }
      #expect(try isAnswered(), "\(description)")
    }
    // What the server needs for one ordinary client of HTTP/2 that sends much.
    let ordinary = try HTTP2Client(server.address)
    var writer = FrameWriter.opened()
    writer.headers(FrameWriter.request("POST", "/shout"), stream: 1, ends: false)
    for number in 0..<4 {
      writer.data([UInt8](repeating: 0x61, count: 16_000), stream: 1, ends: number == 3)
    }
    try ordinary.send(writer.bytes)
    #expect(ordinary.reads { $0.content[1]?.count == 64_000 })
    #expect(try isAnswered())
    let before = try server.memory().now

    let processorTime = try server.processorTime()
    for flood in Flood.frames {
      var writer = FrameWriter.opened()
      writer.headers(FrameWriter.request("POST", "/shout"), stream: 1, ends: false)
      for _ in 0..<20_000 { flood.write(&writer, 1) }
      try send(flood.code, flood.description, writer.bytes)
    }
    for flood in Flood.sections {
      var writer = FrameWriter.opened()
      flood.write(&writer, 1)
      try send(flood.code, flood.description, writer.bytes)
    }
    for _ in 0..<3 {
      var writer = FrameWriter.opened()
      writer.compressionBomb(stream: 1)
      try send(nil, "a bomb", writer.bytes)
    }
    let after = try server.memory()
    // A sanitizer (deploy/dev/sanitize) keeps what was freed, and takes its time.
    guard ProcessInfo.processInfo.environment["ASAN_OPTIONS"] == nil else { return }
    #expect(after.peak - before <= 1024, "\(before) kB before, \(after) after")
    #expect(try server.processorTime() - processorTime < 2)
  }

  @Test("responses that are not read: few are made, and the client is cut", arguments: [false, true])
  func unread(_ hasWindow: Bool) throws {
    let server = try TestServer { $0.write = .milliseconds(300) }
    let client = try HTTP2Client(server.address, receiveBuffer: 4096)
    var writer = FrameWriter.opened()
    writer.setting(4, hasWindow ? 0x7FFF_FFFF : 0)
    if hasWindow { writer.windowUpdate(0x7FFF_FFFF - 65_535) }
    for number in 0..<50 { writer.get("/big", stream: Int32(2 * number + 1)) }
    try client.send(writer.bytes)
    #expect(eventually { server.record.handled.count >= 1 })
    if hasWindow {
      // What the kernel holds is not read either: the connection ends.
      #expect(eventually { openSockets(localPort: server.address.port) == 0 })
      // 8 MB each: there is room for one, and for what fits in the kernel.
      #expect(server.record.handled.count <= 2)
    } else {
      // CANCEL, one after the other: no second one is made before the first is given up.
      #expect(client.reads { $0.resets[1] == 8 })
      #expect(server.record.handled.count <= 2)
      #expect(client.reads { $0.resets.count == 3 && $0.resets.values.allSatisfy { $0 == 8 } })
      #expect(server.record.handled.count <= 4)
    }
  }
}
