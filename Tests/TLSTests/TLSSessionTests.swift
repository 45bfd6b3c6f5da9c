import COpenSSL
import TestSupport
import Testing
import TLS

@Suite("a TLS session")
struct TLSSessionTests {
  let certificate: TestCertificate
  let context: TLSContext

  init() throws {
    certificate = try TestCertificate()
    context = try TLSContext(TLSFiles(certificate: certificate.certificate, key: certificate.key))
  }

  @Test("speaks TLS 1.2 and 1.3 with OpenSSL's client, whole and byte by byte", arguments: [1, 7, .max / 2])
  func handshake(_ pieces: Int) throws {
    for (version, name) in [(TLS1_2_VERSION, "TLSv1.2"), (TLS1_3_VERSION, "TLSv1.3")] {
      let client = TLSClient(.init(versions: version...version))
      let server = TLSServer(context)
      server.converse(with: client, pieces: pieces)
      #expect(server.session.isEstablished && client.isEstablished)
      #expect(server.session.version == name && client.version == name)

      let long = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }
      let answer = server.receive(client.write(Array("question".utf8)) + client.write(long), pieces: pieces)
      #expect(server.plaintext == Array("question".utf8) + long)
      _ = client.receive(answer + (try server.write(long)) + (try server.write(Array("end".utf8))))
      #expect(client.plaintext == long + Array("end".utf8))
    }
  }

  @Test("chooses HTTP/2 before HTTP/1.1, and HTTP/1.1 when nothing was said")
  func applicationProtocol() throws {
    let http2 = Array("\u{02}h2".utf8)
    let http1 = Array("\u{08}http/1.1".utf8)
    for (offered, chosen, name) in [
      (http1 + http2, TLSSession.ApplicationProtocol.http2, "h2"), (http2, .http2, "h2"),
      (http1, .http1_1, "http/1.1"), ([], .http1_1, nil),
    ] {
      let client = TLSClient(.init(applicationProtocols: offered))
      let server = TLSServer(context)
      server.converse(with: client)
      #expect(server.session.applicationProtocol == chosen)
      #expect(client.applicationProtocol == name)
    }
  }

  @Test("refuses a client that wants another protocol")
  func otherProtocol() throws {
    let client = TLSClient(.init(applicationProtocols: Array("\u{03}ftp".utf8)))
    let server = TLSServer(context)
    server.converse(with: client)
    #expect(server.failure != nil && client.failure != nil)
  }

  @Test("refuses TLS 1.0, TLS 1.1 and ciphers without forward secrecy, and says so to the client")
  func old() throws {
    for options in TLSClient.Options.outdated {
      let client = TLSClient(options)
      let server = TLSServer(context)
      server.converse(with: client)
      #expect(!server.session.isEstablished)
      guard case .protocolViolation = server.failure else {
        Issue.record("\(String(describing: server.failure))")
        continue
      }
      #expect(client.failure?.contains("alert") == true, "\(client.failure ?? "no failure")")
    }
  }

  @Test("does not renegotiate")
  func renegotiation() throws {
    let client = TLSClient(.init(versions: TLS1_2_VERSION...TLS1_2_VERSION))
    let server = TLSServer(context)
    server.converse(with: client)
    _ = client.receive(server.receive(client.renegotiate(), pieces: .max))
    #expect(client.failure == "no renegotiation")
  }

  @Test("goes on with a session that its ticket describes")
  func resumption() throws {
    for version in [TLS1_2_VERSION, TLS1_3_VERSION] {
      let first = TLSClient(.init(versions: version...version))
      TLSServer(context).converse(with: first)
      let ticket = SSL_get1_session(first.session)
      defer { SSL_SESSION_free(ticket) }
      // A client that ends without a word takes its session to be broken.
      _ = first.close()
      let second = TLSClient(.init(versions: version...version), ticket: ticket)
      let server = TLSServer(context)
      server.converse(with: second)
      #expect(second.wasResumed && server.session.isEstablished)
    }
  }

  @Test("distinguishes an announced end from a cut connection")
  func end() throws {
    let client = TLSClient()
    let server = TLSServer(context)
    server.converse(with: client)
    let last = client.write(Array("last".utf8))
    _ = server.receive(last.dropLast(1) + [], pieces: 1)
    #expect(server.plaintext.isEmpty && !server.isClosed && server.failure == nil)
    _ = server.receive([last[last.count - 1]] + client.close(), pieces: 3)
    #expect(server.plaintext == Array("last".utf8) && server.isClosed)
    _ = client.receive(server.close())
    #expect(client.isClosed)
  }

  @Test(
    "knows plain HTTP when it sees it",
    arguments: ["GET / HTTP/1.1\r\n\r\n", "CONNECT a:443 HTTP/1.1\r\n\r\n"]
  )
  func plainHTTP(_ request: String) throws {
    let server = TLSServer(context)
    _ = server.receive(Array(request.utf8), pieces: 1)
    #expect(server.failure == .plainHTTP)
  }

  @Test("refuses garbage, and a record that was changed on its way")
  func garbage() throws {
    let blocked = TLSServer(context)
    _ = blocked.receive([0x16, 0x03, 0x01, 0xFF, 0xFF] + [UInt8](repeating: 7, count: 70_000), pieces: 1000)
    #expect(blocked.failure != nil)

    let client = TLSClient()
    let server = TLSServer(context)
    server.converse(with: client)
    var record = client.write(Array("question".utf8))
    record[record.count - 1] ^= 1
    let alert = server.receive(record, pieces: 5)
    #expect(server.plaintext.isEmpty && server.failure != nil)
    _ = client.receive(alert)
    #expect(client.failure?.contains("bad record mac") == true)
    #expect(throws: TLSError.self) { try server.write([1]) }
  }

  @Test("asks for a client's certificate when it knows whose to trust")
  func clientCertificate() throws {
    let authority = try TestCertificate("authority")
    let files = TLSFiles(
      certificate: certificate.certificate,
      key: certificate.key,
      clientAuthorities: authority.certificate
    )
    let demanding = try TLSContext(files)
    for (signer, isWelcome) in [(authority, true), (nil, false)] as [(TestCertificate?, Bool)] {
      let own = try TestCertificate("client", signedBy: signer)
      let client = TLSClient(.init(certificate: own))
      let server = TLSServer(demanding)
      server.converse(with: client)
      #expect((server.failure == nil) == isWelcome)
    }
    let anonymous = TLSServer(demanding)
    anonymous.converse(with: TLSClient())
    #expect(anonymous.failure != nil && !anonymous.session.isEstablished)
  }
}
