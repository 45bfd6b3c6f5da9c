import ArgumentParser
import HTTPServer
import Prometheus
import Sockets
import TLS

/// How the server's connections are encrypted.
struct TLSOptions: ParsableArguments {
  @Option(
    help: .option("tls-cert", "The certificate and its chain, PEM. Goes with --tls-key.", valueName: "file")
  )
  var tlsCert: String?
  @Option(help: .option("tls-key", "The certificate's key, PEM, without a password.", valueName: "file"))
  var tlsKey: String?
  @Option(
    help: .option(
      "tls-client-ca",
      "Authorities, PEM: every client must show a certificate of one of them.",
      valueName: "file"
    )
  )
  var tlsClientCa: String?
  @Flag(help: .option("insecure", "Do not warn of plain HTTP on an address that others can reach."))
  var insecure = false

  /// The certificate, read and checked; nil: plain text.
  func certificate() throws -> ServerCertificate? {
    let certificate = try EnvironmentOption.value("tls-cert", tlsCert)
    let key = try EnvironmentOption.value("tls-key", tlsKey)
    let authorities = try EnvironmentOption.value("tls-client-ca", tlsClientCa)
    guard let certificate, let key else {
      guard certificate == nil, key == nil, authorities == nil else {
        throw ValidationError("--tls-cert and --tls-key go together, and --tls-client-ca with them.")
      }
      return nil
    }
    do {
      return try ServerCertificate(
        TLSFiles(certificate: certificate, key: key, clientAuthorities: authorities)
      )
    } catch {
      throw InputError(description: "no TLS: \(error)")
    }
  }

  /// What to say of an address that others can reach in plain text; nil: nothing.
  func warning(for address: SocketAddress) throws -> String? {
    let isEncrypted = try EnvironmentOption.value("tls-cert", tlsCert) != nil
    guard !isEncrypted, !address.isLoopback, try !EnvironmentOption.flag("insecure", insecure) else {
      return nil
    }
    return
      "plain HTTP on \(address): everyone on the network path can read and change what is sent; use --tls-cert and "
      + "--tls-key, or --insecure where a proxy encrypts"
  }
}

extension ServerCertificate {
  /// For Prometheus: what there is to warn of in time.
  func write(to page: inout Exposition) {
    page.gauge(
      "topitems_tls_certificate_expiry_timestamp_seconds",
      "When the certificate in use expires.",
      [.init(Double(expiry))]
    )
    page.gauge(
      "topitems_tls_certificate_rejected",
      "1 while the certificate's files cannot be used, so that an older one is in use.",
      [.init(isRejected ? 1 : 0)]
    )
  }
}
