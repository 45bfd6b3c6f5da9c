import Glibc
import Sockets

/// Sends the bytes of frames, and looks for bytes in what comes. Reads give up after ten seconds.
final class HTTP2Client {
  /// The preface and empty settings.
  static let opened = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0]

  private let client: TestClient
  /// What came and was not looked for yet.
  private(set) var received: [UInt8] = []
  private(set) var isBroken = false

  init(_ address: SocketAddress) throws {
    client = try TestClient(address)
  }

  func send(_ bytes: [UInt8]) throws { try client.send(bytes) }
  func close() { client.close() }

  /// Whether these bytes come; nil: whether the connection ends.
  func reads(_ wanted: [UInt8]?) -> Bool {
    while true {
      if let wanted, let range = received.firstRange(of: wanted) {
        received.removeSubrange(..<range.upperBound)
        return true
      }
      guard let bytes = client.receiveSome() else {
        isBroken = true
        return wanted == nil
      }
      guard !bytes.isEmpty else { return false }
      received += bytes
    }
  }

  /// GET with a header section of literals that stay out of the table (RFC 7541 §6.2.2); short paths only.
  static func get(_ path: String, stream: Int32, method: String = "GET") -> [UInt8] {
    let fields = [(":method", method), (":scheme", "http"), (":authority", "test"), (":path", path)]
    var block: [UInt8] = []
    for (name, value) in fields {
      block.append(0)
      for text in [name, value] { block += [UInt8(text.utf8.count)] + Array(text.utf8) }
    }
    return frame(1, flags: 5, stream: stream, block)
  }

  static func reset(_ stream: Int32) -> [UInt8] { frame(3, flags: 0, stream: stream, [0, 0, 0, 8]) }

  static let ping = frame(6, flags: 0, stream: 0, [1, 2, 3, 4, 5, 6, 7, 8])
  static let pong = frame(6, flags: 1, stream: 0, [1, 2, 3, 4, 5, 6, 7, 8])

  static func windowUpdate(_ increment: UInt32) -> [UInt8] {
    frame(8, flags: 0, stream: 0, bigEndian(increment))
  }

  private static func frame(_ type: UInt8, flags: UInt8, stream: Int32, _ payload: [UInt8]) -> [UInt8] {
    [0, 0, UInt8(payload.count), type, flags] + bigEndian(UInt32(bitPattern: stream)) + payload
  }

  private static func bigEndian(_ value: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(value >> (24 - 8 * $0) & 0xFF) }
  }
}
