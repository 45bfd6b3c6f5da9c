import COpenSSL
import Foundation
import Glibc
import HTTP
import HTTPServer
import Sockets
import TestSupport
import Testing
import TLS

@Suite("the server speaks TLS")
struct ServerTLSTests {
  let files: TestCertificate
  let certificate: ServerCertificate

  init() throws {
    files = try TestCertificate()
    certificate = try ServerCertificate(TLSFiles(certificate: files.certificate, key: files.key))
  }

  var trust: [String] { ["--cacert", files.certificate] }

  @Test("with curl, which chooses between HTTP/2 and HTTP/1.1", arguments: ["--tlsv1.3", "--tls-max=1.2"])
  func answers(_ version: String) throws {
    let server = try TestServer(certificate: certificate)
    let tls = version == "--tlsv1.3" ? [version] : ["--tls-max", "1.2"]
    for (http, spoken) in [("--http2", "2"), ("--http1.1", "1.1"), ("--no-alpn", "1.1")] {
      for (path, options, bytes) in [
        ("/abc", [], 4), ("/block?1", [], 8), ("/big", [], 8 * 1024 * 1024),
        ("/stream?20x100000", [], 2_000_000),
        ("/echo", ["--data-binary", String(repeating: "x", count: 100_000)], 100_000),
      ] as [(String, [String], Int)] {
        let curl = try Curl(server.address, path, trust + tls + [http] + options)
        #expect(curl.exitStatus == 0 && curl.status == 200, "\(path): \(curl.output.suffix(200))")
        #expect(curl.version == spoken && curl.bodyBytes == bytes, "\(path)")
      }
    }
  }

  @Test("to a client that reads slowly, as slowly as it does")
  func slowReader() throws {
    let server = try TestServer(certificate: certificate)
    let curl = try Curl(server.address, "/big", trust + ["--limit-rate", "8M"])
    #expect(curl.exitStatus == 0 && curl.bodyBytes == 8 * 1024 * 1024)
  }

  @Test("however its bytes are cut", arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
  func cut(_ version: Int32) throws {
    let server = try TestServer(certificate: certificate)
    let options = TLSClient.Options(versions: version...version)
    let cuttings = Cutting.all(TLSClient(options).receive().count, everywhere: true)
    for cutting in cuttings {
      let tls = TLSClient(options)
      let client = try server.client()
      // Nothing was said of a protocol: it is HTTP/1.1.
      try client.converse(tls, cutting, with: server) { tls.isEstablished }
      let request = tls.write(Array("GET /a HTTP/1.1\r\nHost: test\r\n\r\n".utf8))
      try cutting.send(request, to: client, of: server)
      try client.converse(tls, cutting, with: server) { tls.plaintext.suffix(2) == Array("/a".utf8) }
      #expect(tls.plaintext.starts(with: Array("HTTP/1.1 200".utf8)) && tls.failure == nil, "\(cutting)")
    }
    #expect(cuttings.count > 100 && server.record.handled.count == cuttings.count)
  }

  @Test("and not TLS 1.0 or 1.1, nor with an old cipher")
  func old() throws {
    let server = try TestServer(certificate: certificate)
    for options in TLSClient.Options.outdated {
      for cutting in [Cutting.whole, .single] {
        let tls = TLSClient(options)
        let client = try server.client()
        try client.converse(tls, cutting, with: server) { tls.isEstablished }
        #expect(tls.failure?.contains("alert") == true, "\(options), \(cutting)")
        #expect(try client.isClosed())
      }
    }
    #expect(server.record.handled.isEmpty)
    #expect(
      server.record.observations.contains {
        if case .refusedTLS(.protocolViolation, _, _) = $0 { true } else { false }
      }
    )
  }

  @Test("and does not renegotiate")
  func renegotiation() throws {
    let server = try TestServer(certificate: certificate)
    let tls = TLSClient(.init(versions: TLS1_2_VERSION...TLS1_2_VERSION))
    let client = try server.client()
    try client.converse(tls, .whole, with: server) { tls.isEstablished }
    try client.send(tls.renegotiate())
    try client.converse(tls, .whole, with: server) { false }
    #expect(tls.failure == "no renegotiation")
    #expect(try Curl(server.address, "/canary", trust).status == 200)
  }

  @Test("and says so to a client that speaks plain HTTP, whole and byte by byte", arguments: [true, false])
  func plain(_ isWhole: Bool) throws {
    let server = try TestServer(certificate: certificate)
    let client = try server.client()
    let request = "GET / HTTP/1.1\r\nHost: test\r\n\r\n"
    if isWhole { try client.send(request) } else { for byte in request.utf8 { try? client.send([byte]) } }
    #expect(try client.answer().status == 400)
    #expect(try client.isClosed())
    #expect(server.record.handled.isEmpty)
  }

  @Test("and refuses clients without a certificate, where it asks for one")
  func clientCertificate() throws {
    let authority = try TestCertificate("authority")
    let demanding = try ServerCertificate(
      TLSFiles(certificate: files.certificate, key: files.key, clientAuthorities: authority.certificate)
    )
    let server = try TestServer(certificate: demanding)
    let own = try TestCertificate("client", signedBy: authority)
    let other = try TestCertificate("client")
    #expect(
      try Curl(server.address, "/a", trust + ["--cert", own.certificate, "--key", own.key]).status == 200
    )
    #expect(
      try Curl(server.address, "/a", trust + ["--cert", other.certificate, "--key", other.key]).exitStatus
        != 0
    )
    #expect(try Curl(server.address, "/a", trust).exitStatus != 0)
    #expect(server.record.handled == ["/a"])
  }

  @Test("and waits for no handshake: half ones are closed, and keep no other client from being answered")
  func halfHandshakes() throws {
    let server = try TestServer(certificate: certificate) { $0.handshake = .milliseconds(500) }
    let hello: [UInt8] = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03, 0x03]
    let clients = try (0..<200).map { number in
      let client = try server.client()
      try client.send(Array(hello.prefix(number % hello.count)))
      return client
    }
    #expect(try Curl(server.address, "/canary", trust).status == 200)
    for client in clients { #expect(try client.isClosed()) }
    #expect(server.record.handled == ["/canary"])
  }

  @Test("and ends a session that is idle with a word")
  func end() throws {
    let server = try TestServer(certificate: certificate) { $0.idle = .milliseconds(300) }
    let request = "printf 'GET /a HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n'"
    let client = "openssl s_client -quiet -ign_eof -connect 127.0.0.1:\(server.address.port)"
    let idle = try Tool(["sh", "-c", "\(request) | timeout 10 \(client) 2>&1"])
    // s_client complains of an end without `close_notify`.
    #expect(idle.status == 0 && idle.output.hasSuffix("/a"), "\(idle.output)")
  }

  @Test("with a new certificate as soon as its files have changed, and loses no connection over it")
  func reload() throws {
    let server = try TestServer(certificate: certificate)
    let before = try Curl(server.address, "/abc", trust)
    #expect(before.status == 200)
    server.server.reloadCertificate(always: false)
    #expect(!server.record.observations.contains { if case .certificateChanged = $0 { true } else { false } })

    let load = Thread { [address = server.address, trust] in
      _ = try? Curl(address, "/stream?200x10000", trust + ["--limit-rate", "1M"])
    }
    load.start()
    #expect(eventually { server.record.handled.contains("/stream?200x10000") })
    let new = try TestCertificate()
    try replace(files.certificate, new.certificate)
    // Only half of the pair is there.
    server.server.reloadCertificate(always: false)
    #expect(
      server.record.observations.contains {
        if case .certificateRejected(.keyMismatch) = $0 { true } else { false }
      }
    )
    try replace(files.key, new.key)
    #expect(
      try Curl(server.address, "/abc", ["--cacert", new.certificate]).exitStatus != 0,
      "the old one is in use"
    )
    server.server.reloadCertificate(always: false)
    #expect(server.record.observations.contains { if case .certificateChanged = $0 { true } else { false } })
    #expect(try Curl(server.address, "/abc", ["--cacert", new.certificate]).status == 200)
    #expect(eventually { server.record.pieces == 200 } && server.record.brokenStreams == 0)

    try "junk".write(toFile: files.key, atomically: true, encoding: .utf8)
    server.server.reloadCertificate(always: true)
    #expect(try Curl(server.address, "/abc", ["--cacert", new.certificate]).status == 200)
  }

  @Test("and changes its certificate again and again under load without a failure")
  func reloadUnderLoad() throws {
    let server = try TestServer(loops: 2, certificate: certificate)
    let pairs = try [files, TestCertificate()].map { pair in
      try [pair.certificate, pair.key].map { try String(contentsOfFile: $0, encoding: .utf8) }
    }
    // Each client is a handshake, in the moment when it is the certificate's turn to change; one request of each is
    // slow.
    let url = "https://127.0.0.1:\(server.address.port)"
    let once = "h2load -n 200 -c 100 -m 1 \(url)/abc '\(url)/stream?3x1000' 2>&1"
    let load = try ProcessRunner(
      "/bin/sh",
      ["-c", "command -v h2load || exit 127; for i in 1 2 3 4 5; do \(once); done"]
    )
    var changes = 0
    while load.isRunning {
      let pair = pairs[(changes + 1) % 2]
      try pair[0].write(toFile: files.certificate, atomically: true, encoding: .utf8)
      // Half of the pair: the old one stays.
      server.server.reloadCertificate(always: false)
      try pair[1].write(toFile: files.key, atomically: true, encoding: .utf8)
      server.server.reloadCertificate(always: false)
      changes += 1
      usleep(5000)
    }
    let ending = try load.wait(within: .seconds(60))
    try #require(ending != .exited(127), "apt-get install nghttp2-client")
    let successes =
      load.output.components(separatedBy: "200 succeeded, 0 failed, 0 errored, 0 timeout").count - 1
    #expect(ending == .exited(0) && successes == 5, "\(load.output)")
    let observations = server.record.observations
    #expect(observations.count { if case .certificateChanged = $0 { true } else { false } } == changes)
    #expect(observations.count { if case .certificateRejected = $0 { true } else { false } } == changes)
    #expect(changes > 10)
  }

  private func replace(_ path: String, _ other: String) throws {
    try String(contentsOfFile: other, encoding: .utf8).write(toFile: path, atomically: true, encoding: .utf8)
  }
}

extension TestClient {
  /// Carries bytes between OpenSSL's client and the server, until the condition holds or one of them has ended.
  func converse(
    _ tls: TLSClient,
    _ cutting: Cutting,
    with server: TestServer,
    until condition: () -> Bool
  ) throws {
    try cutting.send(tls.receive(), to: self, of: server)
    while !condition(), tls.failure == nil, !tls.isClosed, let bytes = receiveSome(), !bytes.isEmpty {
      let said = tls.receive(bytes)
      // To a server that has refused there is nothing to say.
      if tls.failure == nil { try cutting.send(said, to: self, of: server) }
    }
  }
}
