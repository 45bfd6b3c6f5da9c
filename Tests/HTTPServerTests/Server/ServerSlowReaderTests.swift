import Foundation
import HTTP
import HTTPCases
import HTTPServer
import Sockets
import TestSupport
import Testing
import TLS

/// Readers that stand still have addresses of their own, 127.0.0.2 and on; the client that must not suffer has
/// 127.0.0.9.
@Suite("clients that do not read a long response")
struct ServerSlowReaderTests {
  enum Manner: CaseIterable { case http1, http2, tls }

  private static let mebibyte = 1 << 20
  private let files: TestCertificate

  init() throws { files = try TestCertificate() }

  private func server(
    _ manner: Manner = .http1,
    workers: Int = 1,
    _ change: (inout Limits) -> Void = { _ in }
  ) throws -> TestServer {
    let certificate =
      manner == .tls
      ? try ServerCertificate(TLSFiles(certificate: files.certificate, key: files.key)) : nil
    return try TestServer(workers: workers, certificate: certificate) {
      $0.spoolFolder = NSTemporaryDirectory()
      $0.write = .seconds(60)
      change(&$0)
    }
  }

  /// Asks for so many answers from one address, and reads nothing. HTTP/2 needs one connection for all of them.
  private func standStill(
    _ count: Int,
    _ path: String,
    on server: TestServer,
    _ manner: Manner = .http1,
    from host: UInt8 = 2
  ) throws -> [TestClient] {
    if manner == .http2 {
      let client = try server.client(receiveBuffer: 2048, from: host)
      var writer = FrameWriter.opened()
      writer.setting(4, 0)
      for number in 0..<count { writer.get(path, stream: Int32(2 * number + 1)) }
      try client.send(writer.bytes)
      return [client]
    }
    return try (0..<count).map { _ in
      let client = try server.client(receiveBuffer: 2048, from: host)
      let request = "GET \(path) HTTP/1.1\r\nHost: test\r\n\r\n"
      guard manner == .tls else {
        try client.send(request)
        return client
      }
      let tls = TLSClient()
      try client.send(tls.receive())
      while !tls.isEstablished { try client.send(tls.receive(client.receiveSome() ?? [])) }
      try client.send(tls.write(Array(request.utf8)))
      return client
    }
  }

  /// How many bytes another client gets.
  private func other(_ path: String, _ server: TestServer, _ manner: Manner = .http1) throws -> Int {
    if manner == .http1 {
      let client = try server.client(from: 9)
      try client.get(path)
      return try client.answer().body.utf8.count
    }
    let options =
      manner == .http2 ? ["--http2-prior-knowledge"] : ["--cacert", files.certificate, "--http1.1"]
    return try Curl(server.address, path, options + ["--interface", "127.0.0.9"]).bodyBytes
  }

  private func spooled(_ server: TestServer, _ place: String) -> Int {
    Int(server.metric("t_spool_bytes{place=\"\(place)\"}") ?? -1)
  }

  private func nothingIsLeft(_ server: TestServer) -> Bool {
    eventually {
      spooled(server, "memory") == 0 && spooled(server, "disk") == 0
        && ["t_spooled_answers", "t_workers_busy", "t_requests_waiting", "t_open_streams", "t_connections"]
          .allSatisfy { server.metric($0) == 0 }
    }
  }

  @Test("hold no worker: another client's is complete while theirs stand still", arguments: Manner.allCases)
  func standingStill(_ manner: Manner) throws {
    let server = try server(manner)
    var crowd = try standStill(16, "/stream?50x65536", on: server, manner)
    #expect(try other("/stream?50x65536", server, manner) == 50 * 65_536)
    #expect(server.metric("t_open_streams") ?? 0 >= 1, "theirs are not over")
    #expect(eventually { server.record.pieces == 17 * 50 }, "all of theirs are made")
    #expect(eventually { server.metric("t_workers_busy") == 0 } && server.record.brokenStreams == 0)
    #expect(spooled(server, "disk") > 16 * 40 * 65_536)
    #expect(spooled(server, "memory") <= 16 * 320 * 1024)
    crowd.removeAll()
    #expect(nothingIsLeft(server))
  }

  @Test("get all of it, in its order, when they read at last", arguments: [0, 100_000, 64 * 1024 * 1024])
  func readingAtLast(_ memory: Int) throws {
    let server = try server { $0.spoolMemory = memory }
    let client = try standStill(1, "/stream?150x70001", on: server)[0]
    #expect(eventually { server.metric("t_workers_busy") == 0 && server.record.pieces == 150 })
    let expected = (0..<150).map {
      String(repeating: String(UnicodeScalar(UInt8(ascii: "a") + UInt8($0 % 26))), count: 70_001)
    }
    #expect(try client.answer().body == expected.joined())
    // The connection lives on, and the next response is as good.
    try client.get("/stream?3x5")
    #expect(try client.answer().body == "aaaaabbbbbccccc")
    client.close()
    #expect(nothingIsLeft(server))
  }

  @Test("get it over HTTP/2 as they open the window, however many streams there are")
  func window() throws {
    let server = try server()
    let client = try HTTP2Client(server.address)
    var writer = FrameWriter.opened()
    writer.setting(4, 0)
    for number in 0..<16 { writer.get("/stream?30x50000", stream: Int32(2 * number + 1)) }
    try client.send(writer.bytes)
    #expect(eventually { server.record.pieces == 16 * 30 && server.metric("t_workers_busy") == 0 })
    var opened = FrameWriter()
    opened.setting(4, 0x7FFF_FFFF)
    opened.windowUpdate(0x7FFF_FFFF - 65_535)
    try client.send(opened.bytes)
    #expect(
      client.reads { reader in
        (0..<16).allSatisfy { number in reader.content[Int32(2 * number + 1)]?.count == 30 * 50_000 }
      }
    )
    client.close()
    #expect(nothingIsLeft(server))
  }

  @Test("have no more kept for them than the limits say; then they are refused, and another network is not")
  func bounds() throws {
    let server = try server {
      $0.spoolMemory = Self.mebibyte
      $0.spoolDisk = 8 * Self.mebibyte
    }
    var crowd: [TestClient] = []
    for host in 2...5 { crowd += try standStill(8, "/stream?20x65536", on: server, from: UInt8(host)) }
    var most = 0
    for _ in 0..<5 {
      #expect(try other("/stream?20x65536", server) == 20 * 65_536)
      most = max(most, spooled(server, "disk"))
      #expect(spooled(server, "memory") <= Self.mebibyte)
    }
    #expect(most <= 8 * Self.mebibyte)
    // Requests that still waited for a worker thread get a 503, as do new ones.
    let refused = eventually { server.record.answered.contains { $0.status == .serviceUnavailable } }
    #expect(refused)
    let late = try server.client(from: 2)
    try late.get("/stream?1x1")
    let answer = try late.answer()
    #expect([200, 503].contains(answer.status))
    if answer.status == 503 { #expect(answer.fields["retry-after"] == "1") }
    crowd.removeAll()
    late.close()
    #expect(nothingIsLeft(server))
  }

  @Test("are broken off, the largest first, where another network needs the room", arguments: [false, true])
  func room(isHTTP2: Bool) throws {
    let server = try server(workers: 2) {
      $0.spoolMemory = Self.mebibyte
      $0.spoolDisk = 8 * Self.mebibyte
    }
    let large = try standStill(1, "/stream?200x65536", on: server, isHTTP2 ? .http2 : .http1)
    #expect(eventually { spooled(server, "disk") == 8 * Self.mebibyte })
    let small = try standStill(1, "/stream?40x65536", on: server, from: 3)
    #expect(eventually { server.metric("t_workers_busy") == 0 })
    #expect(server.record.brokenStreams == 1 && server.metric("t_answers_cut_total") == 1)
    #expect(try small[0].answer().body.utf8.count == 40 * 65_536)
    if isHTTP2 {
      let reader = FrameReader()
      let isReset = eventually {
        if let bytes = large[0].receiveSome() { reader.receive(bytes) }
        return reader.resets[1] == 11
      }
      #expect(isReset, "ENHANCE_YOUR_CALM")
    } else {
      #expect(throws: ClientError.self) { _ = try large[0].answer() }
    }
  }

  @Test("are waited for while the disk is full, and get all of it", .enabled(if: SmallVolume.isWanted))
  func fullDisk() throws {
    let volume = try SmallVolume(megabytes: 1)
    let server = try server { $0.spoolFolder = volume.folder }
    let client = try standStill(1, "/stream?100x65536", on: server)[0]
    let isReported = eventually {
      server.record.observations.contains { if case .spoolFailed = $0 { true } else { false } }
    }
    #expect(isReported && server.record.pieces < 100 && server.metric("t_workers_busy") == 1)
    #expect(try client.answer().body.utf8.count == 100 * 65_536)
    client.close()
    #expect(nothingIsLeft(server))
  }

  @Test("lose their workers to others where there is no file")
  func withoutFile() throws {
    let server = try server(workers: 2) { $0.spoolFolder = nil }
    let crowd = try [2, 3].flatMap { try standStill(1, "/stream?100000x65536", on: server, from: $0) }
    #expect(eventually { server.metric("t_workers_busy") == 2 && server.record.pieces > 6 })
    #expect(try other("/stream?50x65536", server) == 50 * 65_536)
    #expect(server.record.brokenStreams == 1 && server.metric("t_answers_cut_total") == 1)
    #expect(crowd.count == 2)
  }

  @Test(
    "and leave before their turn have nothing made for them",
    arguments: ["close", "reset", "RST_STREAM"],
    ["/block", "/stream?1x1"]
  )
  func departed(_ how: String, _ path: String) throws {
    let server = try server()
    let busy = try server.client(from: 9)
    try busy.get(path == "/block" ? "/gate" : "/stream-gate")
    #expect(eventually { server.record.atGate == 1 })
    let crowd = try standStill(10, path, on: server, how == "RST_STREAM" ? .http2 : .http1)
    #expect(eventually { server.metric("t_requests_waiting") == 10 })
    switch how {
    case "close": for client in crowd { client.close() }
    case "reset": for client in crowd { client.reset() }
    default: for number in 0..<10 { try crowd[0].send(HTTP2Client.reset(Int32(2 * number + 1))) }
    }
    #expect(eventually { server.metric("t_requests_waiting") == 0 })
    #expect(server.metric("t_requests_dropped_total") == 10)
    server.record.openGate()
    #expect(try busy.answer().status == 200)
    #expect(server.record.made == (path == "/block" ? 0 : 1))
  }

  @Test("have no more than a fair turn: another client's request is next, however many of theirs wait")
  func turns() throws {
    let server = try server()
    let busy = try server.client(from: 2)
    try busy.get("/gate")
    #expect(eventually { server.record.atGate == 1 })
    let crowd = try standStill(50, "/gate", on: server)
    #expect(eventually { server.metric("t_requests_waiting") == 50 })
    let other = try server.client(from: 9)
    try other.get("/block")
    #expect(eventually { server.metric("t_requests_waiting") == 51 })
    server.record.openGate()
    #expect(try other.answer().body == "/block")
    let answered = server.record.answered.map(\.target)
    #expect((answered.firstIndex(of: "/block") ?? .max) <= 3, "\(answered)")
    #expect(crowd.count == 50)
  }
}
