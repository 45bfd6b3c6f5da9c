import CNghttp2

/// Reads what a server of HTTP/2 sends, frame by frame, and keeps it.
package final class FrameReader {
  package struct Frame: Equatable {
    package var type: UInt8
    package var flags: UInt8
    package var stream: Int32
    package var payload: [UInt8]

    package init(type: UInt8, flags: UInt8, stream: Int32, payload: [UInt8]) {
      self.type = type
      self.flags = flags
      self.stream = stream
      self.payload = payload
    }

    /// The error code of RST_STREAM.
    package var code: UInt32 { payload.suffix(4).reduce(0) { $0 << 8 | UInt32($1) } }
    package var goAwayCode: UInt32 { payload[4..<8].reduce(0) { $0 << 8 | UInt32($1) } }
  }

  package private(set) var frames: [Frame] = []
  package private(set) var headers: [Int32: [String: String]] = [:]
  package private(set) var content: [Int32: [UInt8]] = [:]
  /// Whether all header blocks could be read.
  package private(set) var isIntact = true
  private var unread: [UInt8] = []
  private var inflater: OpaquePointer?

  package init() {
    nghttp2_hd_inflate_new(&inflater)
  }

  deinit {
    nghttp2_hd_inflate_del(inflater)
  }

  /// The codes of streams that were reset.
  package var resets: [Int32: UInt32] {
    Dictionary(
      frames.filter { $0.type == 3 }.map { ($0.stream, $0.code) },
      uniquingKeysWith: { first, _ in first }
    )
  }

  /// The code that the connection was ended with.
  package var goAway: UInt32? { frames.last { $0.type == 7 }?.goAwayCode }

  package func receive(_ bytes: [UInt8]) {
    unread += bytes
    var start = 0
    while unread.count - start >= 9 {
      let length = unread[start..<(start + 3)].reduce(0) { $0 << 8 | Int($1) }
      guard unread.count - start >= 9 + length else { break }
      let stream = unread[(start + 5)..<(start + 9)].reduce(0) { $0 << 8 | Int32($1) }
      let payload = Array(unread[(start + 9)..<(start + 9 + length)])
      record(Frame(type: unread[start + 3], flags: unread[start + 4], stream: stream, payload: payload))
      start += 9 + length
    }
    unread.removeSubrange(..<start)
  }

  private func record(_ frame: Frame) {
    frames.append(frame)
    switch frame.type {
    case 0: content[frame.stream, default: []] += frame.payload
    case 1: headers[frame.stream, default: [:]].merge(inflate(frame.payload)) { $1 }
    default: break
    }
  }

  private func inflate(_ block: [UInt8]) -> [String: String] {
    var fields: [String: String] = [:]
    var rest = block[...]
    while true {
      var pair = nghttp2_nv()
      var flags: Int32 = 0
      let count = rest.withUnsafeBufferPointer {
        nghttp2_hd_inflate_hd2(inflater, &pair, &flags, $0.baseAddress, $0.count, 1)
      }
      guard count >= 0 else {
        isIntact = false
        return fields
      }
      rest = rest.dropFirst(count)
      if flags & Int32(NGHTTP2_HD_INFLATE_EMIT.rawValue) != 0 {
        let name = UnsafeBufferPointer(start: pair.name, count: pair.namelen)
        let value = UnsafeBufferPointer(start: pair.value, count: pair.valuelen)
        fields[String(decoding: name, as: UTF8.self)] = String(decoding: value, as: UTF8.self)
      }
      if flags & Int32(NGHTTP2_HD_INFLATE_FINAL.rawValue) != 0 {
        nghttp2_hd_inflate_end_headers(inflater)
        return fields
      }
    }
  }
}
