import HTTP
import HTTPCases
import Testing

@Suite("an HTTP/2 session")
struct HTTP2SessionTests {
  @Test("answers requests, however their bytes are split", arguments: [1, 2, 3, 10, 65_536])
  func requests(_ pieces: Int) {
    let peer = HTTP2Peer()
    var writer = FrameWriter.opened()
    writer.get("/a?b=c", stream: 1, [("accept", "text/html")])
    writer.headers(FrameWriter.request("POST", "/d"), stream: 3, ends: false)
    writer.data(Array("con".utf8), stream: 3)
    writer.data(Array("tent".utf8), stream: 3, ends: true)
    peer.receive(writer.bytes, pieces: pieces)

    let first = peer.requests[1]
    #expect(first?.method == .get && first?.target.decodedPath == "/a" && first?.target.query == "b=c")
    #expect(first?.version == .http2 && first?.authority == "test" && first?.fields["Accept"] == "text/html")
    #expect(first?.fields.count == 2 && first?.persists == true)
    #expect(peer.requests[3]?.method == .post && peer.requests[3]?.body == Array("content".utf8))
    #expect(peer.headers[1]?[":status"] == "200" && peer.headers[1]?["content-length"] == "6")
    #expect(peer.headers[1]?["date"] == "Thu, 01 Jan 1970 00:00:00 GMT")
    #expect(peer.headers[1]?["content-type"] == "text/plain; charset=utf-8")
    #expect(peer.content[1] == Array("/a?b=c".utf8) && peer.content[3] == Array("/d".utf8))
    #expect(peer.goAway == nil && peer.resets.isEmpty && peer.session.isIdle && !peer.session.isFinished)
  }

  @Test("announces its limits, and no priorities")
  func settings() {
    let peer = HTTP2Peer()
    peer.turn()
    let payload = peer.frames.first?.payload ?? []
    let pairs = stride(from: 0, to: payload.count, by: 6).map { payload[$0..<($0 + 6)].map(Int.init) }
    let values = Dictionary(
      uniqueKeysWithValues: pairs.map { ($0[0] << 8 | $0[1], $0[2...].reduce(0) { $0 << 8 | $1 }) }
    )
    #expect(peer.frames.first?.type == 4 && values == [3: 100, 6: 40_768, 9: 1])
  }

  @Test("answers HEAD and 304 without content, and drops fields of an HTTP/1.1 connection")
  func withoutContent() {
    let peer = HTTP2Peer()
    peer.answer = { request in
      let fields: Fields = [
        "Keep-Alive": "1", "Transfer-Encoding": "x", "Upgrade": "y", "Date": "z", "ETag": "W/1",
      ]
      return Response(status: request.method == .head ? .ok : .notModified, fields: fields, body: [1, 2, 3])
    }
    var writer = FrameWriter.opened()
    writer.headers(FrameWriter.request("HEAD", "/"), stream: 1)
    writer.get(stream: 3)
    peer.receive(writer.bytes)
    #expect(peer.content.isEmpty && peer.session.isIdle)
    #expect(peer.headers[1]?["content-length"] == "3" && peer.headers[3]?["content-length"] == nil)
    for stream in [1, 3] as [Int32] {
      #expect(
        Set(peer.headers[stream, default: [:]].keys).subtracting(["content-length"]) == [
          ":status", "date", "etag",
        ]
      )
    }
  }

  @Test("sends as much content as the client's windows allow, and the rest when they open")
  func flowControl() {
    let peer = HTTP2Peer()
    let body = (0..<200_000).map { UInt8(truncatingIfNeeded: $0) }
    peer.answer = { _ in Response(status: .ok, body: body) }
    var writer = FrameWriter.opened()
    writer.setting(4, 1000)
    writer.get(stream: 1)
    peer.receive(writer.bytes)
    #expect(peer.content[1]?.count == 1000 && peer.session.pendingAnswerBytes == 199_000)
    peer.receive { $0.windowUpdate(100_000, stream: 1) }
    #expect(peer.content[1]?.count == 65_535)
    peer.receive {
      $0.windowUpdate(1_000_000, stream: 1)
      $0.windowUpdate(1_000_000)
    }
    #expect(peer.content[1] == body && peer.session.isIdle && peer.session.pendingAnswerBytes == 0)
  }

  @Test("sends an open response piece by piece, and says when there is room for another")
  func openAnswer() {
    let peer = HTTP2Peer()
    peer.answer = { _ in nil }
    var writer = FrameWriter.opened()
    writer.get(stream: 1)
    peer.receive(writer.bytes)
    peer.session.begin(Response(status: .ok, body: Array("a".utf8)), on: 1, date: DateField(second: 0))
    peer.turn()
    #expect(peer.content[1] == Array("a".utf8) && peer.headers[1]?["content-length"] == nil)
    #expect(peer.notices == [.writable(1)] && peer.session.isWritable(1))
    for piece in ["bc", "d"] { peer.session.send(Array(piece.utf8), on: 1) }
    #expect(!peer.session.isWritable(1))
    peer.turn()
    #expect(peer.content[1] == Array("abcd".utf8) && peer.session.isWritable(1))
    peer.session.end(1)
    peer.turn()
    #expect(peer.frames.last == .init(type: 0, flags: 1, stream: 1, payload: []) && peer.session.isIdle)
    #expect(!peer.notices.contains(.closed(1)))
  }

  @Test("breaks an open response off so that it does not look whole, and reports when the client does")
  func brokenAnswers() {
    let peer = HTTP2Peer()
    peer.answer = { _ in nil }
    var writer = FrameWriter.opened()
    for stream in [1, 3, 5] as [Int32] { writer.get(stream: stream) }
    peer.receive(writer.bytes)
    for stream in [1, 3] as [Int32] {
      peer.session.begin(Response(status: .ok, body: [1]), on: stream, date: DateField(second: 0))
    }
    peer.turn()
    peer.session.reset(1, .internalError)
    peer.receive {
      $0.reset(3)
      $0.reset(5)
    }
    #expect(peer.resets == [1: 2] && peer.session.isIdle)
    #expect(Set(peer.notices) == [.writable(1), .writable(3), .closed(1), .closed(3), .closed(5)])
    // A handler that still works for them does no harm.
    peer.session.send([2], on: 3)
    peer.session.end(3)
    peer.session.answer(Response(status: .ok), on: 5, date: DateField(second: 0))
    peer.turn()
    #expect(peer.goAway == nil)
  }

  @Test("says 100 to a client that waits for it, and drops trailers")
  func continues() {
    let peer = HTTP2Peer()
    var writer = FrameWriter.opened()
    let fields = FrameWriter.request("POST", "/") + [("expect", "100-continue"), ("content-length", "2")]
    writer.headers(fields, stream: 1, ends: false)
    peer.receive(writer.bytes)
    #expect(peer.headers[1]?[":status"] == "100")
    peer.receive {
      $0.data(Array("ab".utf8), stream: 1)
      $0.headers([("host", "evil"), ("x", "y")], stream: 1)
    }
    #expect(peer.headers[1]?[":status"] == "200" && peer.requests[1]?.body == Array("ab".utf8))
    #expect(peer.requests[1]?.fields["x"] == nil && peer.requests[1]?.fields["host"] == "test")
  }

  @Test("gives handlers Host and one Cookie, whichever way they were sent")
  func sameFields() {
    let peer = HTTP2Peer()
    var writer = FrameWriter.opened()
    let noAuthority = FrameWriter.request("GET", "/").filter { $0.0 != ":authority" }
    writer.headers(
      noAuthority + [("host", "other"), ("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")],
      stream: 1
    )
    writer.get(stream: 3, [("host", "TEST")])
    peer.receive(writer.bytes)
    #expect(peer.requests[1]?.authority == "other" && peer.requests[1]?.fields["cookie"] == "a=1; b=2")
    #expect(peer.requests[3]?.fields.values(of: "Host") == ["test"])
  }

  @Test("stops gracefully: sends GOAWAY, answers what was on its way, then ends")
  func shutDown() {
    let peer = HTTP2Peer()
    peer.answer = { $0.target.raw == "/slow" ? nil : Response(status: .ok) }
    var writer = FrameWriter.opened()
    writer.get("/slow", stream: 1)
    peer.receive(writer.bytes)
    peer.session.shutDown(now: peer.now)
    peer.turn()
    #expect(peer.goAway == 0 && !peer.session.isFinished)
    peer.receive {
      $0.get(stream: 3)
      $0.frame(.ping, flags: 1, [UInt8](repeating: 0, count: 8))
    }
    peer.receive { $0.get(stream: 5) }
    #expect(peer.headers[3]?[":status"] == "200" && peer.requests[5] == nil)
    #expect(peer.frames.last { $0.type == 7 }?.payload.prefix(4) == [0, 0, 0, 3])
    #expect(!peer.session.isFinished)
    peer.session.answer(Response(status: .ok), on: 1, date: DateField(second: 0))
    peer.turn()
    #expect(peer.headers[1]?[":status"] == "200" && peer.session.isFinished && peer.session.failure == nil)
  }

  @Test("ends a stopped connection also when the client does not heed the notice")
  func shutDownUnheeded() {
    let peer = HTTP2Peer()
    peer.receive(FrameWriter.opened().bytes)
    peer.session.shutDown(now: peer.now)
    peer.turn()
    #expect(!peer.session.isFinished && peer.session.nextDeadline == peer.now + 1_000_000_000)
    peer.now += 1_000_000_000
    peer.session.expire(now: peer.now)
    peer.turn()
    #expect(peer.session.isFinished)
  }
}
