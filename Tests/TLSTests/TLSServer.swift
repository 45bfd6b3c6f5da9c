import TestSupport
import TLS

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
