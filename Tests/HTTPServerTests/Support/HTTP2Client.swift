import HTTPCases
import Sockets

/// Sends the bytes of frames, and looks for bytes, or for what frames say, in what comes. Reads give up after five
/// seconds.
final class HTTP2Client {
  /// The preface and empty settings.
  static let opened = FrameWriter.opened().bytes

  let client: TestClient
  private let reader = FrameReader()
  /// What came and was not looked for yet.
  private(set) var received: [UInt8] = []
  private(set) var isBroken = false

  init(_ address: SocketAddress, receiveBuffer: Int32? = nil) throws {
    client = try TestClient(address, receiveBuffer: receiveBuffer)
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
      guard receive() else { return isBroken && wanted == nil }
    }
  }

  /// Reads until the condition is met by what came; false: the connection ended, or nothing came in time.
  func reads(until condition: (FrameReader) -> Bool) -> Bool {
    while !condition(reader) {
      guard receive() else { return false }
    }
    return true
  }

  /// Takes what comes next; false: nothing came in time, or the connection has ended.
  private func receive() -> Bool {
    guard let bytes = client.receiveSome() else {
      isBroken = true
      return false
    }
    received += bytes
    reader.receive(bytes)
    return !bytes.isEmpty
  }

  static func get(_ path: String, stream: Int32, method: String = "GET") -> [UInt8] {
    FrameWriter.bytes { $0.headers(FrameWriter.request(method, path), stream: stream) }
  }

  static func reset(_ stream: Int32) -> [UInt8] { FrameWriter.bytes { $0.reset(stream) } }

  static let ping = FrameWriter.bytes { $0.frame(.ping, [1, 2, 3, 4, 5, 6, 7, 8]) }
  static let pong = FrameWriter.bytes { $0.frame(.ping, flags: 1, [1, 2, 3, 4, 5, 6, 7, 8]) }

  static func windowUpdate(_ increment: UInt32) -> [UInt8] {
    FrameWriter.bytes { $0.windowUpdate(increment) }
  }
}
