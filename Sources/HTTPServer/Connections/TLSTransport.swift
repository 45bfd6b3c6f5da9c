import Threading
import TLS

/// The TLS of one connection, and what it has still to encrypt: a large body is encrypted as fast as the client
/// reads, not all at once.
final class TLSTransport {
  /// Plaintext that is encrypted in one go.
  static let step = 64 * 1024

  let session: TLSSession
  /// The client has said that it sends no more.
  var isClosedByPeer = false
  /// Nothing more is said in TLS: it has failed, or its end was said.
  var isOver = false
  private var body: [UInt8] = []
  private var encrypted = 0

  init(_ context: TLSContext) {
    session = TLSSession(context)
  }

  /// Whether there is something left to encrypt.
  var hasMore: Bool { encrypted < body.count }

  /// Encrypts the bytes; a body follows them with `encryptMore`.
  func add(_ bytes: [UInt8], body: [UInt8], into ciphertext: inout [UInt8]) {
    // More came while there is a body on its way: that happens to small bytes only.
    while hasMore { encryptMore(into: &ciphertext) }
    encrypt(bytes.span.bytes, into: &ciphertext)
    self.body = body
    encrypted = 0
  }

  func encryptMore(into ciphertext: inout [UInt8]) {
    let body = body
    let end = min(body.count, encrypted + TLSTransport.step)
    encrypt(body.span.extracting(encrypted..<end).bytes, into: &ciphertext)
    encrypted = end
    if !hasMore { (self.body, encrypted) = ([], 0) }
  }

  private func encrypt(_ bytes: RawSpan, into ciphertext: inout [UInt8]) {
    guard !isOver else { return }
    do throws(TLSError) {
      try session.write(bytes, output: &ciphertext)
    } catch {
      // The session is established, and memory never full: a session that fails here has failed before.
      isOver = true
    }
  }
}
