import HTTP
import Testing

@Suite("an HTTP/2 session refuses")
struct HTTP2RefusalTests {
  /// A request that a status is answered to; the connection goes on.
  struct Case: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var status: Int
    var fields: [(String, String)]

    init(_ description: String, _ status: Int, _ fields: [(String, String)]) {
      testDescription = description
      self.status = status
      self.fields = fields
    }
  }

  static func get(_ path: String = "/", without: String = "", _ more: [(String, String)] = []) -> [(
    String, String
  )] {
    FrameWriter.request("GET", path).filter { $0.0 != without } + more
  }

  static let answered: [Case] = [
    Case("dot segments", 400, get("/a/../b")),
    Case("an encoded slash", 400, get("/a%2fb")),
    Case("NUL in the path", 400, get("/%00")),
    Case("a fragment", 400, get("/a#b")),
    Case("overlong UTF-8", 400, get("/%C0%AF")),
    Case(
      "another scheme",
      400,
      [(":method", "GET"), (":scheme", "ftp"), (":authority", "a"), (":path", "/")]
    ),
    Case(
      "an invalid authority",
      400,
      [(":method", "GET"), (":scheme", "http"), (":authority", "a@b"), (":path", "/")]
    ),
    Case("Host that is not the authority", 400, get("/", [("host", "other")])),
    Case(
      "an unknown method",
      501,
      [(":method", "BREW"), (":scheme", "http"), (":authority", "a"), (":path", "/")]
    ),
    Case("an expectation that cannot be met", 417, get("/", [("expect", "tea")])),
    Case("a long path", 414, get("/" + String(repeating: "a", count: 8000))),
    Case("too many fields", 431, get("/", (0..<101).map { ("x\($0)", "y") })),
    Case("too large fields", 431, get("/", (0..<9).map { ("x\($0)", String(repeating: "y", count: 4600)) })),
  ]

  @Test("with a status what is no request by our rules", arguments: answered)
  func answers(_ one: Case) {
    // Not byte by byte: nghttp2 counts a CONTINUATION again each time its header is incomplete.
    for pieces in [65_536, 100] {
      let peer = HTTP2Peer()
      var writer = FrameWriter.opened()
      let block = FrameWriter.block(one.fields)
      // As many frames as it needs.
      let parts = stride(from: 0, to: block.count, by: 16_384).map {
        Array(block[$0..<min($0 + 16_384, block.count)])
      }
      writer.frame(.headers, flags: parts.count == 1 ? 5 : 1, stream: 1, parts[0])
      for (index, part) in parts.enumerated().dropFirst() {
        writer.frame(.continuation, flags: index == parts.count - 1 ? 4 : 0, stream: 1, part)
      }
      writer.get("/next", stream: 3)
      peer.receive(writer.bytes, pieces: pieces)
      #expect(peer.headers[1]?[":status"] == "\(one.status)" && peer.requests[1] == nil)
      #expect(
        peer.headers[3]?[":status"] == "200" && peer.goAway == nil,
        "\(pieces): \(String(describing: peer.session.failure))"
      )
    }
  }

  static let reset: [Case] = [
    Case("a connection-specific field", 1, get("/", [("connection", "close")])),
    Case("Transfer-Encoding", 1, get("/", [("transfer-encoding", "chunked")])),
    Case("TE other than trailers", 1, get("/", [("te", "gzip")])),
    Case("CRLF in a value", 1, get("/", [("x", "a\r\nb: c")])),
    Case("NUL in a value", 1, get("/", [("x", "a\0b")])),
    Case("a capital letter in a name", 1, get("/", [("Name", "a")])),
    Case("a name that is no token", 1, get("/", [("na me", "a")])),
    Case("no path", 1, get("/", without: ":path")),
    Case("no method", 1, get("/", without: ":method")),
    Case("no scheme", 1, get("/", without: ":scheme")),
    Case("an empty path", 1, get("")),
    Case("a path without a slash", 1, get("a")),
    Case("an absolute URI as path", 1, get("http://a/")),
    Case("* for another method than OPTIONS", 1, get("*")),
    Case("two Hosts", 1, get("/", without: ":authority", [("host", "a"), ("host", "a")])),
    Case("two paths", 1, get("/", [(":path", "/")])),
    Case("a pseudo-field after others", 1, [("a", "b")] + get("/")),
    Case("an unknown pseudo-field", 1, [(":x", "b")] + get("/")),
    Case("a response's pseudo-field", 1, [(":status", "200")] + get("/")),
    Case("Content-Length without content", 1, get("/", [("content-length", "5")])),
    Case("Content-Length that is no number", 1, get("/", [("content-length", "+5")])),
    Case("two Content-Lengths", 1, get("/", [("content-length", "0"), ("content-length", "0")])),
  ]

  @Test("by a reset what is no HTTP/2", arguments: reset)
  func resets(_ one: Case) {
    for pieces in [65_536, 1] {
      let peer = HTTP2Peer()
      var writer = FrameWriter.opened()
      writer.headers(one.fields, stream: 1)
      writer.get("/next", stream: 3)
      peer.receive(writer.bytes, pieces: pieces)
      #expect(peer.requests[1] == nil && peer.resets.keys.contains(1) && peer.headers[1] == nil)
      #expect(peer.headers[3]?[":status"] == "200" && peer.goAway == nil)
    }
  }

  @Test("content that is longer or shorter than its length says")
  func lengthDisagrees() {
    let peer = HTTP2Peer()
    var writer = FrameWriter.opened()
    for (stream, content) in [(1, "abc"), (3, "a")] as [(Int32, String)] {
      writer.headers(
        FrameWriter.request("POST", "/") + [("content-length", "2")],
        stream: stream,
        ends: false
      )
      writer.data(Array(content.utf8), stream: stream, ends: true)
    }
    peer.receive(writer.bytes)
    #expect(peer.resets == [1: 1, 3: 1] && peer.requests.isEmpty && peer.goAway == nil)
  }

  @Test("too much content: before it comes, or when it has come, and the client need not send the rest")
  func tooLarge() {
    var request = RequestLimits()
    request.bodyBytes = 1000
    let peer = HTTP2Peer(HTTP2Limits(), request: request)
    var writer = FrameWriter.opened()
    writer.headers(FrameWriter.request("POST", "/") + [("content-length", "1001")], stream: 1, ends: false)
    writer.headers(FrameWriter.request("POST", "/"), stream: 3, ends: false)
    writer.data([UInt8](repeating: 1, count: 1001), stream: 3)
    peer.receive(writer.bytes)
    #expect(peer.headers[1]?[":status"] == "413" && peer.headers[3]?[":status"] == "413")
    // What is on its way may come, and is dropped; then the client is told to stop.
    #expect(peer.resets.isEmpty && peer.requests.isEmpty && !peer.session.isIdle)
    peer.receive {
      $0.data([UInt8](repeating: 1, count: 900), stream: 1)
      $0.data([UInt8](repeating: 1, count: 1001), stream: 3)
    }
    #expect(peer.resets == [3: 0])
  }

  @Test("one stream more than it has announced, and not the connection")
  func tooManyStreams() {
    var limits = HTTP2Limits()
    limits.concurrentStreams = 3
    let peer = HTTP2Peer(limits)
    peer.answer = { _ in nil }
    var writer = FrameWriter.opened()
    writer.frame(.settings, flags: 1)
    for stream in stride(from: 1, through: 9, by: 2) { writer.get(stream: Int32(stream)) }
    peer.receive(writer.bytes)
    #expect(peer.resets == [7: 7, 9: 7] && peer.requests.count == 3 && peer.goAway == nil)
    peer.session.answer(Response(status: .ok), on: 1, date: DateField(second: 0))
    peer.turn()
    peer.receive { $0.get(stream: 11) }
    #expect(peer.requests[11] != nil)
  }

  /// What ends the connection, and with which code.
  struct Fatal: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var code: UInt32
    var bytes: [UInt8]

    init(_ description: String, _ code: UInt32, opened: Bool = true, _ build: (inout FrameWriter) -> Void) {
      testDescription = description
      self.code = code
      var writer = opened ? FrameWriter.opened() : FrameWriter()
      build(&writer)
      bytes = writer.bytes
    }
  }

  static let fatal: [Fatal] = [
    Fatal("HTTP/1.1", 1, opened: false) { $0.bytes = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8) },
    Fatal("no settings first", 1, opened: false) {
      $0.bytes = FrameWriter.preface
      $0.get(stream: 1)
    },
    Fatal("DATA for an idle stream", 1) { $0.data([1], stream: 1) },
    Fatal("an even stream", 1) { $0.get(stream: 2) },
    Fatal("a window that overflows", 3) {
      $0.windowUpdate(0x7FFF_FFFF)
      $0.windowUpdate(0x7FFF_FFFF)
    },
    Fatal("a frame that is too large", 6) {
      $0.frame(.data, stream: 1, [UInt8](repeating: 0, count: 16_385))
    },
    Fatal("PING of a wrong size", 6) { $0.frame(.ping, [1]) },
    Fatal("settings of a wrong size", 6) { $0.frame(.settings, [1]) },
    Fatal("WINDOW_UPDATE of nothing", 1) { $0.windowUpdate(0) },
    Fatal("CONTINUATION without a begin", 1) { $0.frame(.continuation, flags: 4, stream: 1, []) },
    Fatal("another frame inside of a header section", 1) {
      $0.frame(.headers, stream: 1, [])
      $0.frame(.ping, [UInt8](repeating: 0, count: 8))
    },
    Fatal("broken header compression", 9) { $0.frame(.headers, flags: 5, stream: 1, [0xFF, 0xFF, 0xFF]) },
    Fatal("a pushed promise from a client", 1) { $0.frame(.push, flags: 4, stream: 1, [0, 0, 0, 2]) },
  ]

  @Test("to go on with a connection after", arguments: fatal)
  func ends(_ one: Fatal) {
    for pieces in [65_536, 1] {
      let peer = HTTP2Peer()
      peer.receive(one.bytes, pieces: pieces)
      #expect(peer.goAway == one.code && peer.session.isFinished, "pieces of \(pieces)")
      #expect(peer.session.failure?.code.rawValue == one.code, "\(String(describing: peer.session.failure))")
      // What comes now is not looked at.
      peer.receive { $0.get(stream: 101) }
      #expect(peer.requests[101] == nil)
    }
  }
}
