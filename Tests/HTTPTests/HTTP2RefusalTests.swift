import HTTP
import HTTPCases
import Testing

@Suite("an HTTP/2 session refuses")
struct HTTP2RefusalTests {
  @Test("with a status what is no request by our rules", arguments: RefusedStream.answered)
  func answers(_ one: RefusedStream) {
    // Not byte by byte: nghttp2 counts a CONTINUATION again each time its header is incomplete.
    for pieces in [65_536, 100] {
      let peer = HTTP2Peer()
      var writer = FrameWriter.opened()
      writer.section(one.fields, stream: 1)
      writer.get("/next", stream: 3)
      peer.receive(writer.bytes, pieces: pieces)
      #expect(peer.headers[1]?[":status"] == "\(one.code)" && peer.requests[1] == nil)
      #expect(
        peer.headers[3]?[":status"] == "200" && peer.goAway == nil,
        "\(pieces): \(String(describing: peer.session.failure))"
      )
    }
  }

  @Test("by a reset what is no HTTP/2", arguments: RefusedStream.reset)
  func resets(_ one: RefusedStream) {
    for pieces in [65_536, 1] {
      let peer = HTTP2Peer()
      var writer = FrameWriter.opened()
      writer.section(one.fields, stream: 1)
      writer.get("/next", stream: 3)
      peer.receive(writer.bytes, pieces: pieces)
      #expect(peer.requests[1] == nil && peer.resets[1] == UInt32(one.code) && peer.headers[1] == nil)
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
    // What is on its way may come, and is dropped; then the stream is reset.
    #expect(peer.resets.isEmpty && peer.requests.isEmpty && !peer.session.isIdle)
    peer.receive {
      $0.data([UInt8](repeating: 1, count: 900), stream: 1)
      $0.data([UInt8](repeating: 1, count: 1001), stream: 3)
    }
    #expect(peer.resets == [3: 0] && peer.session.nextDeadline == peer.now + 250_000_000)
    peer.now += 250_000_000
    peer.session.expire(now: peer.now)
    peer.turn()
    #expect(peer.resets == [1: 0, 3: 0] && peer.session.isIdle)
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

  @Test("to go on with a connection after", arguments: FatalFrames.all)
  func ends(_ one: FatalFrames) {
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
