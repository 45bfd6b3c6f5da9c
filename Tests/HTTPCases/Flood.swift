/// What a client can send again and again at little cost to itself, and the code that its connection ends with.
package struct Flood: Sendable, CustomStringConvertible {
  private static let calm: UInt32 = 11
  package let description: String
  package let code: UInt32
  /// Writes one drop of it, for or on a stream.
  package let write: @Sendable (inout FrameWriter, Int32) -> Void

  private init(
    _ description: String,
    _ code: UInt32 = calm,
    _ write: @escaping @Sendable (inout FrameWriter, Int32) -> Void
  ) {
    self.description = description
    self.code = code
    self.write = write
  }

  /// A request each time, on a stream of its own, that is reset: by the client, or by the server, which it leads to it
  /// (MadeYouReset).
  package static let resets: [Flood] = [
    Flood("Rapid Reset") {
      $0.get("/gate", stream: $1)
      $0.reset($1)
    },
    Flood("a window that overflows") {
      $0.get("/gate", stream: $1)
      $0.windowUpdate(0x7FFF_FFFF, stream: $1)
    },
    Flood("a stream too many") { $0.get("/gate", stream: $1) },
    // nghttp2 ends the connection for it, at once.
    Flood("a window that grows by nothing", 1) {
      $0.get("/gate", stream: $1)
      $0.windowUpdate(0, stream: $1)
    },
  ]

  /// Frames that carry nothing, while a request's content is awaited on the stream.
  package static let frames: [Flood] = [
    Flood("PING") { writer, _ in writer.frame(.ping, [UInt8](repeating: 0, count: 8)) },
    Flood("SETTINGS") { writer, _ in writer.frame(.settings) },
    Flood("PRIORITY") { $0.frame(.priority, stream: $1 + 2, [0, 0, 0, 0, 1]) },
    Flood("WINDOW_UPDATE") { writer, _ in writer.windowUpdate(1) },
    Flood("empty DATA") { $0.data([], stream: $1) },
    Flood("padding instead of DATA") {
      $0.frame(.data, flags: 8, stream: $1, [200] + [UInt8](repeating: 0, count: 200))
    },
    Flood("unknown frames") { writer, _ in writer.frame(.unknown) },
    Flood("PING answers") { writer, _ in writer.frame(.ping, flags: 1, [UInt8](repeating: 0, count: 8)) },
  ]

  /// A header section that does not end.
  package static let sections: [Flood] = [
    Flood("empty CONTINUATION") { $0.endlessSection(stream: $1, []) },
    Flood("CONTINUATION") { $0.endlessSection(stream: $1, [UInt8](repeating: 0x82, count: 16_384)) },
  ]
}

extension FrameWriter {
  /// A header section of 64 KB that unfolds to 256 MB: one field of 4000 bytes goes into the table, and is then named
  /// again and again, by one byte each time.
  package mutating func compressionBomb(stream: Int32) {
    let bomb = [0x40] + FrameWriter.string([0x61]) + FrameWriter.string([UInt8](repeating: 0x62, count: 4000))
    let block = FrameWriter.block(FrameWriter.request("GET", "/")) + bomb
    frame(.headers, flags: FrameWriter.endStream, stream: stream, block)
    for number in 0..<4 {
      let flags = number == 3 ? FrameWriter.endHeaders : 0
      frame(.continuation, flags: flags, stream: stream, [UInt8](repeating: 0xBE, count: 16_000))
    }
  }

  fileprivate mutating func endlessSection(stream: Int32, _ payload: [UInt8]) {
    frame(.headers, flags: FrameWriter.endStream, stream: stream, [])
    for _ in 0..<100 { frame(.continuation, stream: stream, payload) }
  }
}
