import COpenSSL

/// The other side of TLS: OpenSSL's own client, over memory.
public final class TLSClient {
  /// What it wants.
  public struct Options: Sendable {
    /// Such as `TLS1_2_VERSION`; nil: what OpenSSL thinks best.
    public var versions: ClosedRange<Int32>?
    /// Each name with its length before it.
    public var applicationProtocols: [UInt8]
    /// In OpenSSL's words, for TLS 1.2 and older.
    public var ciphers: String?
    /// Its own.
    public var certificate: TestCertificate?

    /// The options; all may be left out.
    public init(
      versions: ClosedRange<Int32>? = nil,
      applicationProtocols: [UInt8] = [],
      ciphers: String? = nil,
      certificate: TestCertificate? = nil
    ) {
      self.versions = versions
      self.applicationProtocols = applicationProtocols
      self.ciphers = ciphers
      self.certificate = certificate
    }

    /// What no server should take any more.
    public static let outdated: [Options] = [
      Options(versions: TLS1_VERSION...TLS1_VERSION), Options(versions: TLS1_1_VERSION...TLS1_1_VERSION),
      Options(versions: TLS1_2_VERSION...TLS1_2_VERSION, ciphers: "AES128-SHA"),
      Options(versions: TLS1_2_VERSION...TLS1_2_VERSION, ciphers: "ECDHE-ECDSA-AES128-SHA"),
    ]
  }

  private let context: OpaquePointer?
  /// OpenSSL's.
  public let session: OpaquePointer?
  private let incoming: OpaquePointer?
  private let outgoing: OpaquePointer?
  /// What has come so far.
  public private(set) var plaintext: [UInt8] = []
  /// Whether the server has said that no more comes.
  public private(set) var isClosed = false
  /// The reason of the first failure.
  public private(set) var failure: String?

  /// - Parameter ticket: a session of an earlier connection to go on with.
  public init(_ options: Options = Options(), ticket: OpaquePointer? = nil) {
    context = SSL_CTX_new(TLS_client_method())
    SSL_CTX_set_security_level(context, 0)
    if let versions = options.versions {
      SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(versions.lowerBound), nil)
      SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(versions.upperBound), nil)
    }
    if let ciphers = options.ciphers { SSL_CTX_set_cipher_list(context, ciphers) }
    if let files = options.certificate {
      SSL_CTX_use_certificate_chain_file(context, files.certificate)
      SSL_CTX_use_PrivateKey_file(context, files.key, SSL_FILETYPE_PEM)
    }
    session = SSL_new(context)
    if !options.applicationProtocols.isEmpty {
      SSL_set_alpn_protos(session, options.applicationProtocols, UInt32(options.applicationProtocols.count))
    }
    if let ticket { SSL_set_session(session, ticket) }
    incoming = BIO_new(BIO_s_mem())
    outgoing = BIO_new(BIO_s_mem())
    SSL_set_bio(session, incoming, outgoing)
    SSL_set_connect_state(session)
  }

  deinit {
    SSL_free(session)
    SSL_CTX_free(context)
  }

  /// Whether the handshake is done.
  public var isEstablished: Bool { SSL_is_init_finished(session) == 1 }
  /// Whether the ticket was good.
  public var wasResumed: Bool { SSL_session_reused(session) == 1 }
  /// The version spoken.
  public var version: String { String(cString: SSL_get_version(session)) }

  /// The protocol that the server has chosen.
  public var applicationProtocol: String? {
    var name: UnsafePointer<UInt8>?
    var length: UInt32 = 0
    SSL_get0_alpn_selected(session, &name, &length)
    return name.map { String(decoding: UnsafeBufferPointer(start: $0, count: Int(length)), as: UTF8.self) }
  }

  /// Takes what the server has sent; returns what the client says to it.
  public func receive(_ bytes: [UInt8] = []) -> [UInt8] {
    if !bytes.isEmpty { BIO_write(incoming, bytes, Int32(bytes.count)) }
    var piece = [UInt8](repeating: 0, count: 16_384)
    while failure == nil, !isClosed {
      ERR_clear_error()
      let count = SSL_read(session, &piece, Int32(piece.count))
      if count > 0 {
        plaintext += piece[..<Int(count)]
        continue
      }
      switch SSL_get_error(session, count) {
      case SSL_ERROR_WANT_READ: return output()
      case SSL_ERROR_ZERO_RETURN: isClosed = true
      default: failure = ERR_reason_error_string(ERR_peek_error()).map { String(cString: $0) } ?? "unknown"
      }
    }
    return output()
  }

  /// Encrypts.
  public func write(_ bytes: [UInt8]) -> [UInt8] {
    SSL_write(session, bytes, Int32(bytes.count))
    return output()
  }

  /// Asks for new keys, as TLS 1.2 could.
  public func renegotiate() -> [UInt8] {
    SSL_renegotiate(session)
    SSL_do_handshake(session)
    return output()
  }

  /// Says that no more comes.
  public func close() -> [UInt8] {
    SSL_shutdown(session)
    return output()
  }

  private func output() -> [UInt8] {
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 16_384)
    while case let count = BIO_read(outgoing, &piece, Int32(piece.count)), count > 0 {
      bytes += piece[..<Int(count)]
    }
    return bytes
  }
}
