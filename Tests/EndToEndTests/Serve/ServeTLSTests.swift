import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd {
  /// No database is needed to speak TLS.
  @Suite("topitems serve, encrypted")
  struct ServeTLSTests {
    let files: TestCertificate

    init() throws {
      files = try TestCertificate()
    }

    private func server(_ options: [String] = []) throws -> APIServer {
      try APIServer(
        databaseURL: "postgresql://127.0.0.1:1/nowhere",
        options: ["--tls-cert", files.certificate, "--tls-key", files.key] + options
      )
    }

    private func get(_ server: APIServer, _ path: String, trust: String) throws -> CurlAnswer {
      try CurlAnswer(["--http1.1", "--cacert", trust, "https://localhost:\(server.client.port)\(path)"])
    }

    private func replace(_ path: String, by text: String) throws {
      try text.write(toFile: path, atomically: true, encoding: .utf8)
    }

    @Test(
      "SIGHUP or a change of the files makes it read them again; bad ones leave the old one in use, with an alarm"
    )
    func reload() throws {
      let server = try server()
      func isRejected(_ trust: String) throws -> Bool {
        try get(server, "/metrics", trust: trust).body.contains("\ntopitems_tls_certificate_rejected 1\n")
      }
      func waitUntilTaken(times: Int) throws {
        try server.process.waitUntil(within: .seconds(20), "a new certificate is in use") {
          server.process.errors.components(separatedBy: "a new certificate is in use").count > times
        }
      }
      // A copy of what the server has, as the files themselves change.
      let trust = try files.write("trust.pem", String(contentsOfFile: files.certificate, encoding: .utf8))
      #expect(try !isRejected(trust))
      // Without a change of the files only the signal can be the reason.
      server.process.signal(SIGHUP)
      try waitUntilTaken(times: 1)

      try replace(files.key, by: "junk")
      try server.process.waitForErrors(containing: "the old one stays in use", within: .seconds(20))
      #expect(try isRejected(trust), "and the old one is in use")

      let new = try TestCertificate()
      try replace(files.key, by: String(contentsOfFile: new.key, encoding: .utf8))
      try replace(files.certificate, by: String(contentsOfFile: new.certificate, encoding: .utf8))
      try waitUntilTaken(times: 2)
      #expect(throws: TestSupportError.self) { try get(server, "/healthz", trust: trust) }
      #expect(try !isRejected(new.certificate))
    }

    @Test("10,000 half handshakes are closed at the deadline; others are answered meanwhile")
    func halfHandshakes() throws {
      let server = try server(["--max-connections", "20000", "--max-connections-per-address", "20000"])
      let hello: [UInt8] = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03, 0x03]
      var crowd: [Int32] = []
      defer { for descriptor in crowd { close(descriptor) } }
      for number in 0..<10_000 {
        let descriptor = try server.client.idleConnection()
        crowd.append(descriptor)
        _ = send(descriptor, hello, number % hello.count, Int32(MSG_NOSIGNAL))
      }
      #expect(try get(server, "/healthz", trust: files.certificate).status == 200)
      var byte: UInt8 = 0
      for descriptor in crowd {
        // An alert at most, and then the end.
        var count = 1
        while count > 0 { count = recv(descriptor, &byte, 1, 0) }
        try #require(count == 0 || errno != EAGAIN, "it is not closed")
      }
      let metrics = try get(server, "/metrics", trust: files.certificate).body
      let total = metrics.firstRange(of: /\ntopitems_http_connections_total 100\d\d\n/)
      #expect(total != nil, "all were taken")
      try server.process.waitUntil(within: .seconds(20), "all are forgotten") {
        server.process.descriptors < 100
      }
    }
  }
}
