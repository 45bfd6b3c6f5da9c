import COpenSSL
import TLS

/// The other side of a `TLSSession`: OpenSSL's own client, over memory.
final class TLSClient {
  struct Options {
    var versions: ClosedRange<Int32>?
    /// Each name with its length before it.
    var applicationProtocols: [UInt8] = []
    var ciphers: String?
    var certificate: TLSFiles?
    /// A session of an earlier connection to go on with.
    var ticket: OpaquePointer?
  }

  private let context: OpaquePointer?
  let session: OpaquePointer?
  private let incoming: OpaquePointer?
  private let outgoing: OpaquePointer?
  /// What has come so far.
  private(set) var plaintext: [UInt8] = []
  private(set) var isClosed = false
  /// The reason of the first failure.
  private(set) var failure: String?

  init(_ options: Options = Options()) {
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
    if let ticket = options.ticket { SSL_set_session(session, ticket) }
    incoming = BIO_new(BIO_s_mem())
    outgoing = BIO_new(BIO_s_mem())
    SSL_set_bio(session, incoming, outgoing)
    SSL_set_connect_state(session)
  }

  deinit {
    SSL_free(session)
    SSL_CTX_free(context)
  }

  var isEstablished: Bool { SSL_is_init_finished(session) == 1 }
  var wasResumed: Bool { SSL_session_reused(session) == 1 }
  var version: String { String(cString: SSL_get_version(session)) }

  var applicationProtocol: String? {
    var name: UnsafePointer<UInt8>?
    var length: UInt32 = 0
    SSL_get0_alpn_selected(session, &name, &length)
    return name.map { String(decoding: UnsafeBufferPointer(start: $0, count: Int(length)), as: UTF8.self) }
  }

  /// Takes what the server has sent; returns what the client says to it.
  func receive(_ bytes: [UInt8] = []) -> [UInt8] {
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

  func write(_ bytes: [UInt8]) -> [UInt8] {
    SSL_write(session, bytes, Int32(bytes.count))
    return output()
  }

  func close() -> [UInt8] {
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

/// A session of ours with what it has said.
final class TLSServer {
  let session: TLSSession
  private(set) var plaintext: [UInt8] = []
  private(set) var isClosed = false
  private(set) var failure: TLSError?

  init(_ context: TLSContext) {
    session = TLSSession(context)
  }

  /// Takes the bytes in pieces of this size; returns what is said in return.
  func receive(_ bytes: [UInt8], pieces size: Int) -> [UInt8] {
    let size = min(size, max(1, bytes.count))
    var output: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: size + TLSSession.headroom)
    for start in stride(from: 0, to: bytes.count, by: size) where failure == nil && !isClosed {
      let piece = bytes[start..<min(start + size, bytes.count)]
      do {
        let received = try piece.withUnsafeBytes { piece in
          try buffer.withUnsafeMutableBytes { try session.receive(piece, into: $0, output: &output) }
        }
        switch received {
        case .bytes(let count): plaintext += buffer[..<count]
        case .closed(let count):
          plaintext += buffer[..<count]
          isClosed = true
        }
      } catch {
        failure = error as? TLSError
      }
    }
    return output
  }

  func write(_ bytes: [UInt8]) throws -> [UInt8] {
    var output: [UInt8] = []
    try session.write(bytes.span.bytes, output: &output)
    return output
  }

  func close() -> [UInt8] {
    var output: [UInt8] = []
    session.close(output: &output)
    return output
  }

  /// Has both sides talk until neither has anything to say.
  func converse(with client: TLSClient, pieces size: Int = .max / 2) {
    var toServer = client.receive()
    while !toServer.isEmpty {
      let toClient = receive(toServer, pieces: size)
      toServer = client.receive(toClient)
    }
  }
}
