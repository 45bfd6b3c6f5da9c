import HTTP
import Threading
import Sockets
import TLS

extension Connection {
  /// Takes bytes that came from the client, of the handshake or encrypted.
  func takeEncrypted(_ bytes: UnsafeRawBufferPointer) {
    guard let tls, !tls.isOver else { return }
    let count: Int
    do throws(TLSError) {
      switch try tls.session.receive(bytes, into: loop.plaintext, output: &loop.ciphertext) {
      case .bytes(let received): count = received
      case .closed(let received):
        count = received
        tls.isClosedByPeer = true
      }
    } catch {
      return refuse(error)
    }
    sendEncrypted()
    guard !isClosed, tls.session.isEstablished else { return }
    if conversation == nil {
      switch tls.session.applicationProtocol {
      case .http2: conversation = HTTP2Conversation(self)
      case .http1_1: conversation = HTTP1Conversation(self)
      }
    }
    if count > 0 { conversation?.receive(UnsafeRawBufferPointer(rebasing: loop.plaintext[..<count])) }
  }

  /// Sends what is encrypted, and encrypts more of a large body as long as the kernel takes it.
  func sendEncrypted() {
    guard let tls else { return }
    while !isClosed {
      if loop.ciphertext.isEmpty, tls.hasMore { tls.encryptMore(into: &loop.ciphertext) }
      guard !loop.ciphertext.isEmpty else { return }
      send(loop.ciphertext)
      loop.ciphertext.removeAll(keepingCapacity: true)
      guard output.isEmpty else { return }
    }
    loop.ciphertext.removeAll(keepingCapacity: true)
  }

  /// Says that no more comes (`close_notify`), if there is room to say so.
  func sayGoodbye() {
    guard let tls, !tls.isOver, output.isEmpty else { return }
    tls.isOver = true
    var farewell: [UInt8] = []
    tls.session.close(output: &farewell)
    // Whether it arrives is not waited for: the connection ends either way.
    if !farewell.isEmpty { _ = try? socket.send(farewell.span.bytes) }
  }

  /// TLS failed, in the handshake or later. OpenSSL's alert is sent; a client that speaks HTTP gets an HTTP error.
  private func refuse(_ error: TLSError) {
    loop.recordRefusal(error, peer: peer)
    if error == .plainHTTP {
      loop.ciphertext.removeAll(keepingCapacity: true)
      let error = ProtocolError(.badRequest, "this port speaks HTTPS")
      let context = ResponseEncoder.Context(method: nil, version: .http1_1, persists: false)
      loop.encoder.append(loop.settings.response(for: error), context, to: &loop.ciphertext)
    }
    sendEncrypted()
    tls?.isOver = true
    conversation?.cancel()
    conversation = nil
    ending = .linger
  }
}
