import Foundation

/// A certificate and its key, made for a test and deleted with it.
public final class TestCertificate: Sendable {
  /// The paths of the PEM files.
  public let certificate: String
  /// Its key.
  public let key: String
  /// Where both are.
  public let folder: String

  /// Makes a certificate for `localhost`, signed by itself or by another.
  public init(_ name: String = "localhost", signedBy authority: TestCertificate? = nil) throws {
    folder = NSTemporaryDirectory() + "topitems-certificate-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    certificate = folder + "/certificate.pem"
    key = folder + "/key.pem"
    let request = [
      "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
      "-subj", "/CN=\(name)", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
      "-keyout", key, "-out", certificate,
    ]
    try openSSL(request + (authority.map { ["-CA", $0.certificate, "-CAkey", $0.key] } ?? []))
  }

  deinit {
    try? FileManager.default.removeItem(atPath: folder)
  }

  /// Makes another file in the folder.
  public func write(_ name: String, _ text: String) throws -> String {
    let path = "\(folder)/\(name)"
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  /// Runs `openssl`.
  public func openSSL(_ arguments: [String]) throws {
    let tool = try Tool(["openssl"] + arguments)
    guard tool.status == 0 else {
      throw TestSupportError("openssl failed (apt-get install openssl): \(tool.output)")
    }
  }
}
