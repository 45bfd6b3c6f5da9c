/// Writes HTTP/2 frames by hand (RFC 9113 §4.1), right ones and wrong ones.
package struct FrameWriter {
  package static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
  package static let endStream: UInt8 = 0x1
  package static let endHeaders: UInt8 = 0x4

  package enum Kind: UInt8, Sendable {
    case data, headers, priority, reset, settings, push, ping, goAway, windowUpdate, continuation
    case unknown = 0x42
  }

  package var bytes: [UInt8] = []

  package init(bytes: [UInt8] = []) {
    self.bytes = bytes
  }

  /// The connection preface and empty settings.
  package static func opened() -> FrameWriter {
    var writer = FrameWriter(bytes: preface)
    writer.frame(.settings)
    return writer
  }

  /// What `build` writes.
  package static func bytes(_ build: (inout FrameWriter) -> Void) -> [UInt8] {
    var writer = FrameWriter()
    build(&writer)
    return writer.bytes
  }

  package mutating func frame(_ kind: Kind, flags: UInt8 = 0, stream: Int32 = 0, _ payload: [UInt8] = []) {
    bytes += [UInt8(payload.count >> 16), UInt8(payload.count >> 8 & 0xFF), UInt8(payload.count & 0xFF)]
    bytes += [kind.rawValue, flags]
    bytes += FrameWriter.bigEndian(UInt32(bitPattern: stream))
    bytes += payload
  }

  /// A request's header section in one frame.
  package mutating func headers(_ fields: [(String, String)], stream: Int32, ends: Bool = true) {
    let flags = FrameWriter.endHeaders | (ends ? FrameWriter.endStream : 0)
    frame(.headers, flags: flags, stream: stream, FrameWriter.block(fields))
  }

  /// A request's header section in as many frames as it needs.
  package mutating func section(_ fields: [(String, String)], stream: Int32) {
    let block = FrameWriter.block(fields)
    let parts = stride(from: 0, to: block.count, by: 16_384).map {
      Array(block[$0..<min($0 + 16_384, block.count)])
    }
    let end = FrameWriter.endHeaders
    frame(.headers, flags: FrameWriter.endStream | (parts.count == 1 ? end : 0), stream: stream, parts[0])
    for (index, part) in parts.enumerated().dropFirst() {
      frame(.continuation, flags: index == parts.count - 1 ? end : 0, stream: stream, part)
    }
  }

  package mutating func get(_ path: String = "/", stream: Int32, _ more: [(String, String)] = []) {
    headers(FrameWriter.request("GET", path) + more, stream: stream)
  }

  package mutating func data(_ bytes: [UInt8], stream: Int32, ends: Bool = false) {
    frame(.data, flags: ends ? FrameWriter.endStream : 0, stream: stream, bytes)
  }

  package mutating func reset(_ stream: Int32, code: UInt32 = 8) {
    frame(.reset, stream: stream, FrameWriter.bigEndian(code))
  }

  package mutating func windowUpdate(_ increment: UInt32, stream: Int32 = 0) {
    frame(.windowUpdate, stream: stream, FrameWriter.bigEndian(increment))
  }

  package mutating func setting(_ identifier: UInt16, _ value: UInt32) {
    frame(.settings, [UInt8(identifier >> 8), UInt8(identifier & 0xFF)] + FrameWriter.bigEndian(value))
  }

  package static func request(_ method: String, _ path: String) -> [(String, String)] {
    [(":method", method), (":scheme", "https"), (":authority", "test"), (":path", path)]
  }

  /// HPACK without compression: each field literal, and never put into the table (RFC 7541 §6.2.2).
  package static func block(_ fields: [(String, String)]) -> [UInt8] {
    fields.flatMap { name, value in [0x00] + string(Array(name.utf8)) + string(Array(value.utf8)) }
  }

  package static func string(_ bytes: [UInt8]) -> [UInt8] { integer(bytes.count, prefix: 7) + bytes }

  /// RFC 7541 §5.1.
  package static func integer(_ value: Int, prefix: Int) -> [UInt8] {
    let most = (1 << prefix) - 1
    guard value >= most else { return [UInt8(value)] }
    var rest = value - most
    var bytes = [UInt8(most)]
    while rest >= 128 {
      bytes.append(UInt8(rest % 128 + 128))
      rest /= 128
    }
    return bytes + [UInt8(rest)]
  }

  package static func bigEndian(_ value: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(value >> (24 - 8 * $0) & 0xFF) }
  }
}
