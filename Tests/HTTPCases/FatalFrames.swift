/// What ends a connection of HTTP/2, and with which code.
package struct FatalFrames: Sendable, CustomStringConvertible {
  package let description: String
  package let code: UInt32
  package let bytes: [UInt8]

  init(_ description: String, _ code: UInt32, opened: Bool = true, _ build: (inout FrameWriter) -> Void) {
    self.description = description
    self.code = code
    var writer = opened ? FrameWriter.opened() : FrameWriter()
    build(&writer)
    bytes = writer.bytes
  }

  package static let all: [FatalFrames] = [
    FatalFrames("HTTP/1.1", 1, opened: false) { $0.bytes = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8) },
    FatalFrames("no settings first", 1, opened: false) {
      $0.bytes = FrameWriter.preface
      $0.get(stream: 1)
    },
    FatalFrames("DATA for an idle stream", 1) { $0.data([1], stream: 1) },
    FatalFrames("an even stream", 1) { $0.get(stream: 2) },
    FatalFrames("a window that overflows", 3) {
      $0.windowUpdate(0x7FFF_FFFF)
      $0.windowUpdate(0x7FFF_FFFF)
    },
    FatalFrames("a frame that is too large", 6) {
      $0.frame(.data, stream: 1, [UInt8](repeating: 0, count: 16_385))
    },
    FatalFrames("PING of a wrong size", 6) { $0.frame(.ping, [1]) },
    FatalFrames("settings of a wrong size", 6) { $0.frame(.settings, [1]) },
    FatalFrames("WINDOW_UPDATE of nothing", 1) { $0.windowUpdate(0) },
    FatalFrames("CONTINUATION without a begin", 1) { $0.frame(.continuation, flags: 4, stream: 1, []) },
    FatalFrames("another frame inside of a header section", 1) {
      $0.frame(.headers, stream: 1, [])
      $0.frame(.ping, [UInt8](repeating: 0, count: 8))
    },
    FatalFrames("broken header compression", 9) {
      $0.frame(.headers, flags: 5, stream: 1, [0xFF, 0xFF, 0xFF])
    },
    FatalFrames("a pushed promise from a client", 1) { $0.frame(.push, flags: 4, stream: 1, [0, 0, 0, 2]) },
  ]
}
