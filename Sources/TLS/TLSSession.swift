import COpenSSL

/// The server's side of one TLS connection, without a socket: ciphertext in, plaintext out, and the other way round.
///
/// It keeps no bytes of its own: what it reads and writes is the caller's, and OpenSSL's buffers are given back while
/// nothing is in them. OpenSSL keeps a pointer to the session, so it is a class. One thread at a time may use it.
public final class TLSSession {
  /// Whether more can come.
  public enum Received: Sendable, Hashable {
    /// This many bytes of plaintext; 0 during the handshake, or while a record is not complete.
    case bytes(Int)
    /// The other side has said that it sends no more (`close_notify`), after this many bytes.
    case closed(Int)
  }

  /// What the two sides speak through TLS (RFC 7301).
  public enum ApplicationProtocol: Sendable, Hashable {
    /// `h2`.
    case http2
    /// `http/1.1`, or nothing was said.
    case http1_1
  }

  /// So much longer than the ciphertext can its plaintext be: the part of a record that came before.
  public static let headroom = 17 * 1024

  private let session: OpaquePointer
  private var hasFailed = false
  /// Set during a call only: the ciphertext that is not yet read, and where ciphertext is written to.
  fileprivate var input = UnsafeRawBufferPointer(start: nil, count: 0)
  fileprivate var output: UnsafeMutablePointer<[UInt8]>?

  /// A session that awaits a client's first bytes.
  public init(_ context: TLSContext) {
    // Both fail only without memory, with which Swift cannot go on either.
    guard let session = SSL_new(context.pointer), let bio = BIO_new(callerBuffers) else {
      preconditionFailure("OpenSSL: no memory for a session")
    }
    self.session = session
    BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
    BIO_set_init(bio, 1)
    // Reads from it and writes to it; one reference serves for both.
    SSL_set_bio(session, bio, bio)
    SSL_set_accept_state(session)
  }

  deinit {
    SSL_free(session)
  }

  /// Whether the handshake is done, so that plaintext can be written.
  public var isEstablished: Bool { SSL_is_init_finished(session) == 1 }

  /// What was chosen; meaningful once established.
  public var applicationProtocol: ApplicationProtocol {
    var name: UnsafePointer<UInt8>?
    var length: UInt32 = 0
    SSL_get0_alpn_selected(session, &name, &length)
    return UnsafeBufferPointer(start: name, count: Int(length)).elementsEqual("h2".utf8) ? .http2 : .http1_1
  }

  /// `TLSv1.3` or `TLSv1.2`; meaningful once established.
  public var version: String { String(cString: SSL_get_version(session)) }

  /// Takes all of the ciphertext. What is to be sent in return (the handshake, alerts) is appended to `output`, also
  /// when an error is thrown: then it is the alert for the other side.
  ///
  /// - Parameter plaintext: at least `headroom` larger than the ciphertext.
  /// - Throws: `TLSError.plainHTTP`, `.protocolViolation`. The session is over then.
  public func receive(
    _ ciphertext: UnsafeRawBufferPointer,
    into plaintext: UnsafeMutableRawBufferPointer,
    output: inout [UInt8]
  ) throws(TLSError) -> Received {
    precondition(plaintext.count >= ciphertext.count + TLSSession.headroom, "no room for the plaintext")
    guard !hasFailed else { throw .protocolViolation("the session has failed before") }
    input = ciphertext
    defer { input = UnsafeRawBufferPointer(start: nil, count: 0) }
    var total = 0
    while true {
      var count = 0
      ErrorQueue.clear()
      let result = writing(to: &output) {
        SSL_read_ex(session, plaintext.baseAddress?.advanced(by: total), plaintext.count - total, &count)
      }
      if result == 1 {
        total += count
        // Another read, only to find that there is nothing more, costs as much as a read with data.
        if input.isEmpty, SSL_has_pending(session) == 0 { return .bytes(total) }
        continue
      }
      switch SSL_get_error(session, result) {
      case SSL_ERROR_WANT_READ: return .bytes(total)
      case SSL_ERROR_ZERO_RETURN: return .closed(total)
      default: throw failure()
      }
    }
  }

  /// Encrypts the plaintext, all of it, and appends it to `output`. Only for an established session.
  ///
  /// - Throws: `TLSError.protocolViolation` after the session has failed.
  public func write(_ plaintext: RawSpan, output: inout [UInt8]) throws(TLSError) {
    guard !plaintext.isEmpty else { return }
    guard !hasFailed, isEstablished else { throw .protocolViolation("there is no session to write to") }
    var count = 0
    // Records have at most 16 KiB; OpenSSL makes as many as are needed, because our side never refuses bytes.
    let result = plaintext.withUnsafeBytes { bytes in
      writing(to: &output) { SSL_write_ex(session, bytes.baseAddress, bytes.count, &count) }
    }
    guard result == 1, count == plaintext.byteCount else { throw failure() }
  }

  /// Says that no more will be sent (`close_notify`). Nothing may be written afterwards.
  public func close(output: inout [UInt8]) {
    guard !hasFailed, isEstablished else { return }
    _ = writing(to: &output) { SSL_shutdown(session) }
    ErrorQueue.clear()
  }

  private func writing(to output: inout [UInt8], _ call: () -> Int32) -> Int32 {
    withUnsafeMutablePointer(to: &output) { pointer in
      self.output = pointer
      defer { self.output = nil }
      return call()
    }
  }

  private func failure() -> TLSError {
    hasFailed = true
    defer { ErrorQueue.clear() }
    switch ERR_GET_REASON(UInt(ErrorQueue.first)) {
    case SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST: return .plainHTTP
    default: return .protocolViolation(ErrorQueue.reason)
    }
  }
}

/// A BIO over the buffers that the session's caller lends it: no copy is kept, none is made twice.
///
/// `nonisolated(unsafe)`: made once, and only read afterwards.
private nonisolated(unsafe) let callerBuffers: OpaquePointer? = {
  guard let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "caller's buffers") else {
    return nil
  }
  BIO_meth_set_read(method) { bio, buffer, count in
    guard let bio, let buffer, count > 0, let session = owner(of: bio) else { return -1 }
    topitems_bio_clear_retry(bio)
    guard session.input.count > 0 else {
      topitems_bio_set_retry_read(bio)
      return -1
    }
    let taken = min(Int(count), session.input.count)
    UnsafeMutableRawBufferPointer(start: buffer, count: taken)
      .copyMemory(from: UnsafeRawBufferPointer(rebasing: session.input[..<taken]))
    session.input = UnsafeRawBufferPointer(rebasing: session.input[taken...])
    return Int32(taken)
  }
  BIO_meth_set_write(method) { bio, bytes, count in
    guard let bio, let bytes, count > 0, let output = owner(of: bio)?.output else { return -1 }
    topitems_bio_clear_retry(bio)
    output.pointee.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: Int(count)))
    return count
  }
  BIO_meth_set_ctrl(method) { _, command, _, _ in
    // Nothing is held back, so a flush is always done; every other control request is refused.
    command == BIO_CTRL_FLUSH ? 1 : 0
  }
  return method
}()

private func owner(of bio: OpaquePointer) -> TLSSession? {
  BIO_get_data(bio).map { Unmanaged<TLSSession>.fromOpaque($0).takeUnretainedValue() }
}
