/// An event of a `text/event-stream` (HTML Living Standard §9.2).
enum ServerSentEvent {
  /// What the stream begins with: how long a client waits before it connects again, in milliseconds.
  static let beginning = Array("retry: 1000\n\n".utf8)
  /// A comment, which clients skip.
  static let heartbeat = Array(":\n\n".utf8)

  /// - Parameters:
  ///   - id: what a client that was cut off says it has seen; nil leaves what it was.
  ///   - data: one JSON document. JSON has no line ends but between tokens, and there our writer puts none.
  static func encode(_ name: StaticString, id: String? = nil, data: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(data.count + 64)
    if let id { bytes += "id: \(id)\n".utf8 }
    bytes += "event: ".utf8
    bytes += UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    bytes += "\ndata: ".utf8
    bytes += data
    bytes += "\n\n".utf8
    return bytes
  }
}
