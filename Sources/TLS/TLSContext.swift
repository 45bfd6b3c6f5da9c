import COpenSSL
import Glibc

/// A server's certificate, key and rules, which all its sessions share: TLS 1.2 and 1.3 with the ciphers and groups of
/// Mozilla's "intermediate" configuration that have forward secrecy by elliptic curves; session tickets; no
/// renegotiation, no compression.
///
/// It never changes: a new certificate is a new context, and the sessions that the old one has begun go on.
///
/// `@unchecked Sendable`: the pointer is set once; OpenSSL counts references to an `SSL_CTX` atomically, and making
/// sessions from one is safe from several threads as long as none configures it, which only `init` does.
public final class TLSContext: @unchecked Sendable {
  /// When the certificate expires, in seconds since 1970.
  public let expiry: Int64
  let pointer: OpaquePointer

  static let ciphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    + "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
  static let groups = "X25519:prime256v1:secp384r1"

  /// Reads the files and checks that they belong together.
  ///
  /// - Throws: `TLSError.file` and `.keyMismatch` for the files, `.library` when OpenSSL is not what we need.
  public init(_ files: TLSFiles) throws(TLSError) {
    ErrorQueue.clear()
    guard let context = SSL_CTX_new(TLS_server_method()) else { throw .library(ErrorQueue.reason) }
    do throws(TLSError) {
      try TLSContext.configure(context)
      try TLSContext.load(files, into: context)
      if let authorities = files.clientAuthorities { try TLSContext.require(authorities, context) }
    } catch {
      SSL_CTX_free(context)
      throw error
    }
    expiry = TLSContext.expiry(of: context)
    pointer = context
  }

  deinit {
    SSL_CTX_free(pointer)
  }

  private static func configure(_ context: OpaquePointer) throws(TLSError) {
    topitems_ssl_ctx_use_modern_versions(context)
    topitems_ssl_ctx_save_memory(context)
    // 2: at least 112 bits; no SHA-1 signatures, no RSA keys below 2048 bits.
    SSL_CTX_set_security_level(context, 2)
    guard SSL_CTX_set_cipher_list(context, ciphers) == 1, topitems_ssl_ctx_set_groups(context, groups) == 1
    else { throw .library(ErrorQueue.reason) }
    SSL_CTX_set_alpn_select_cb(context, selectApplicationProtocol, nil)
    // OpenSSL would ask the terminal for the password of a key.
    SSL_CTX_set_default_passwd_cb(context) { _, _, _, _ in -1 }
  }

  private static func load(_ files: TLSFiles, into context: OpaquePointer) throws(TLSError) {
    try requireReadable(files.certificate)
    try requireReadable(files.key)
    ErrorQueue.clear()
    guard SSL_CTX_use_certificate_chain_file(context, files.certificate) == 1 else {
      throw .file(files.certificate, reason: "no certificate in PEM form: \(ErrorQueue.reason)")
    }
    ErrorQueue.clear()
    guard SSL_CTX_use_PrivateKey_file(context, files.key, SSL_FILETYPE_PEM) == 1 else {
      if ERR_GET_REASON(UInt(ErrorQueue.first)) == X509_R_KEY_VALUES_MISMATCH
        || ERR_GET_REASON(UInt(ErrorQueue.first)) == X509_R_KEY_TYPE_MISMATCH
      {
        throw .keyMismatch(certificate: files.certificate, key: files.key)
      }
      throw .file(files.key, reason: "no key in PEM form without a password: \(ErrorQueue.reason)")
    }
    ErrorQueue.clear()
    guard SSL_CTX_check_private_key(context) == 1 else {
      throw .keyMismatch(certificate: files.certificate, key: files.key)
    }
  }

  private static func require(_ authorities: String, _ context: OpaquePointer) throws(TLSError) {
    try requireReadable(authorities)
    ErrorQueue.clear()
    guard SSL_CTX_load_verify_file(context, authorities) == 1,
      let names = SSL_load_client_CA_file(authorities)
    else { throw .file(authorities, reason: "no certificates in PEM form: \(ErrorQueue.reason)") }
    SSL_CTX_set_client_CA_list(context, names)
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
    // A ticket says for which use its session was made; without a name OpenSSL refuses those of verified clients.
    SSL_CTX_set_session_id_context(context, "topitems", 8)
  }

  /// OpenSSL's own words for a file that is not there are not worth reading.
  private static func requireReadable(_ path: String) throws(TLSError) {
    guard let file = fopen(path, "re") else { throw .file(path, reason: String(cString: strerror(errno))) }
    fclose(file)
  }

  private static func expiry(of context: OpaquePointer) -> Int64 {
    var time = tm()
    guard let certificate = SSL_CTX_get0_certificate(context),
      ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &time) == 1
    else { return 0 }
    return Int64(timegm(&time))
  }
}

/// ALPN (RFC 7301): ours is the choice, HTTP/2 before HTTP/1.1. A client that names neither is refused, as it would
/// take our answers for those of its own protocol; one without the extension speaks HTTP/1.1.
private func selectApplicationProtocol(
  _ session: OpaquePointer?,
  _ chosen: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
  _ length: UnsafeMutablePointer<UInt8>?,
  _ offered: UnsafePointer<UInt8>?,
  _ offeredLength: UInt32,
  _ context: UnsafeMutableRawPointer?
) -> Int32 {
  // What is chosen points into our list: it lives as long as the program.
  let ours: StaticString = "\u{02}h2\u{08}http/1.1"
  var selected: UnsafeMutablePointer<UInt8>?
  let outcome = SSL_select_next_proto(
    &selected,
    length,
    ours.utf8Start,
    UInt32(ours.utf8CodeUnitCount),
    offered,
    offeredLength
  )
  guard outcome == OPENSSL_NPN_NEGOTIATED else { return SSL_TLSEXT_ERR_ALERT_FATAL }
  chosen?.pointee = UnsafePointer(selected)
  return SSL_TLSEXT_ERR_OK
}
