import Foundation
import TestSupport
import Testing
import TLS

@Suite("a TLS context")
struct TLSContextTests {
  let certificate: TestCertificate

  init() throws {
    certificate = try TestCertificate()
  }

  @Test("takes a certificate and its key, and returns when the certificate expires")
  func valid() throws {
    let context = try TLSContext(TLSFiles(certificate: certificate.certificate, key: certificate.key))
    let now = Int64(Date().timeIntervalSince1970)
    #expect((now + 86_400...now + 3 * 86_400).contains(context.expiry))
  }

  @Test("says which file is missing, and why")
  func missing() {
    for files in [
      TLSFiles(certificate: "/none/a.pem", key: certificate.key),
      TLSFiles(certificate: certificate.certificate, key: "/none/a.pem"),
      TLSFiles(certificate: certificate.certificate, key: certificate.key, clientAuthorities: "/none/a.pem"),
    ] {
      #expect(throws: TLSError.file("/none/a.pem", reason: "No such file or directory")) {
        try TLSContext(files)
      }
    }
  }

  @Test("says that a file holds no PEM, without repeating what it holds")
  func noPEM() throws {
    let junk = try certificate.write("junk.pem", "my secret")
    for files in [
      TLSFiles(certificate: junk, key: certificate.key),
      TLSFiles(certificate: certificate.certificate, key: junk),
      TLSFiles(certificate: certificate.certificate, key: certificate.key, clientAuthorities: junk),
    ] {
      let error = #expect(throws: TLSError.self) { try TLSContext(files) }
      guard case .file(junk, let reason) = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
      #expect(reason.contains("PEM") && !reason.contains("secret"))
    }
  }

  @Test("refuses a key that is not the certificate's")
  func mismatch() throws {
    let other = try TestCertificate()
    #expect(throws: TLSError.keyMismatch(certificate: certificate.certificate, key: other.key)) {
      try TLSContext(TLSFiles(certificate: certificate.certificate, key: other.key))
    }
  }

  @Test("refuses a key with a password instead of asking the terminal for it")
  func password() throws {
    let locked = certificate.folder + "/locked.pem"
    try certificate.openSSL(["ec", "-in", certificate.key, "-aes128", "-passout", "pass:x", "-out", locked])
    let error = #expect(throws: TLSError.self) {
      try TLSContext(TLSFiles(certificate: certificate.certificate, key: locked))
    }
    guard case .file(locked, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }
}
