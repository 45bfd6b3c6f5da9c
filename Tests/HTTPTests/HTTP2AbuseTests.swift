import Glibc
import HTTP
import HTTPCases
import TestSupport
import Testing

/// What clients can do to a server at little cost to themselves.
@Suite("an HTTP/2 session is not worn down by")
struct HTTP2AbuseTests {
  static let calm: UInt32 = 11

  @Test("streams that are reset, by either side: it ends soon", arguments: Flood.resets)
  func resets(_ flood: Flood) {
    let peer = HTTP2Peer()
    peer.answer = { _ in nil }
    peer.receive(FrameWriter.opened().bytes)
    for number in 0..<20_000 where peer.session.failure == nil {
      peer.receive { flood.write(&$0, Int32(2 * number + 1)) }
    }
    #expect(peer.goAway == flood.code && peer.session.isFinished && peer.order.count <= 300)
  }

  @Test("resets at a rate that browsers reach")
  func slowResets() {
    let peer = HTTP2Peer()
    peer.answer = { _ in nil }
    peer.receive(FrameWriter.opened().bytes)
    // nghttp2's own limit, which newer versions have, goes by the real clock: 1000 at once.
    for number in 0..<900 {
      peer.now += 25_000_000
      let stream = Int32(2 * number + 1)
      peer.receive {
        $0.get(stream: stream)
        $0.reset(stream)
      }
    }
    #expect(peer.goAway == nil)
  }

  @Test("floods of frames that carry nothing", arguments: Flood.frames)
  func frames(_ flood: Flood) {
    for pieces in [65_536, 90] {
      let peer = HTTP2Peer()
      var writer = FrameWriter.opened()
      writer.headers(FrameWriter.request("POST", "/"), stream: 1, ends: false)
      for _ in 0..<20_000 { flood.write(&writer, 1) }
      peer.receive(writer.bytes, pieces: pieces)
      #expect(peer.goAway == flood.code && peer.session.isFinished)
      #expect(peer.written < 100_000)
    }
  }

  @Test("header sections without end", arguments: Flood.sections)
  func sections(_ flood: Flood) {
    let peer = HTTP2Peer()
    var writer = FrameWriter.opened()
    flood.write(&writer, 1)
    peer.receive(writer.bytes)
    #expect(peer.goAway == flood.code && peer.session.isFinished)
  }

  @Test("HPACK bombs: what a few bytes unfold to is counted, not kept")
  func compressionBomb() {
    let peer = HTTP2Peer()
    var writer = FrameWriter.opened()
    writer.compressionBomb(stream: 1)
    let before = residentBytes()
    peer.receive(writer.bytes)
    #expect(peer.headers[1]?[":status"] == "431" && peer.goAway == nil)
    #expect(residentBytes() - before < 64 * 1024 * 1024, "256 MB would be the whole of it")
  }

  @Test("trailers of far more fields than allowed: there is one response", arguments: [Int.max, 0])
  func trailers(_ contentLimit: Int) {
    let peer = HTTP2Peer(contentLimit: contentLimit)
    var writer = FrameWriter.opened()
    writer.headers(FrameWriter.request("POST", "/"), stream: 1, ends: false)
    // A field of HPACK's own table is one byte: 64,000 fields in what is read at once.
    let fields = [UInt8](repeating: 0x90, count: 16_000)
    writer.frame(.headers, flags: 1, stream: 1, fields)
    for number in 0..<3 { writer.frame(.continuation, flags: number == 2 ? 4 : 0, stream: 1, fields) }
    peer.receive(writer.bytes)
    #expect(peer.asked == 1 && peer.headers[1]?[":status"] == (contentLimit == 0 ? "200" : "431"))
  }

  @Test("many requests with much content at once: it keeps no more than it says")
  func content() {
    let peer = HTTP2Peer()
    peer.receive(FrameWriter.opened().bytes)
    for stream in stride(from: 1, to: 200, by: 2) {
      peer.receive { writer in
        writer.headers(FrameWriter.request("POST", "/"), stream: Int32(stream), ends: false)
        writer.data([UInt8](repeating: 1, count: 16_384), stream: Int32(stream))
        writer.data([UInt8](repeating: 1, count: 16_384), stream: Int32(stream))
      }
    }
    // 100 × 32 KiB is more than 2 MiB: the newest were refused and may be repeated.
    #expect(peer.resets.values.allSatisfy { $0 == 7 } && (30...50).contains(peer.resets.count))
    peer.receive { $0.data([1], stream: 1, ends: true) }
    #expect(peer.requests[1]?.body.count == 32_769 && peer.goAway == nil)
  }

  @Test("responses that are not read: no further request is taken, and then the write budget ends")
  func unread() {
    var limits = HTTP2Limits()
    limits.answerBytes = 100_000
    let peer = HTTP2Peer(limits)
    peer.answer = { _ in Response(status: .ok, body: [UInt8](repeating: 0, count: 40_000)) }
    var writer = FrameWriter.opened()
    writer.setting(4, 0)
    for stream in stride(from: 1, to: 100, by: 2) { writer.get(stream: Int32(stream)) }
    peer.receive(writer.bytes)
    #expect(peer.order.count == 3 && peer.session.pendingAnswerBytes == 120_000)
    #expect(peer.session.nextDeadline == peer.now + 30_000_000_000)
    peer.now += 30_000_000_000
    peer.session.expire(now: peer.now)
    peer.turn()
    #expect(peer.resets == [1: 8, 3: 8, 5: 8] && peer.order.count == 6)
  }

  @Test("answers in pieces of which a little is read now and then; each pushed message has its own time")
  func trickle() {
    for isEndless in [false, true] {
      let peer = HTTP2Peer()
      peer.answer = { _ in nil }
      var writer = FrameWriter.opened()
      writer.setting(4, 0)
      writer.get(stream: 1)
      peer.receive(writer.bytes)
      peer.session.begin(Response(status: .ok), on: 1, date: DateField(second: 0), isEndless: isEndless)
      peer.turn()
      var rounds = 0
      while rounds < 10, !peer.session.isIdle {
        rounds += 1
        peer.session.send([UInt8](repeating: 0, count: 1000), on: 1)
        peer.turn()
        // Just before the end it is read, and then there is nothing to read for long.
        for (seconds, window) in [(20, 1000), (1000, 0)] as [(UInt64, UInt32)] {
          peer.now += seconds * 1_000_000_000
          if peer.session.nextDeadline <= peer.now { peer.session.expire(now: peer.now) }
          peer.receive { if window > 0, !peer.session.isIdle { $0.windowUpdate(window, stream: 1) } }
          peer.turn()
        }
      }
      #expect(isEndless ? rounds == 10 && peer.resets.isEmpty : rounds == 2 && peer.resets == [1: 8])
    }
  }

  @Test("a response that is read fast and then no more: time is not saved up")
  func stall() {
    let peer = HTTP2Peer()
    peer.answer = { _ in Response(status: .ok, body: [UInt8](repeating: 0, count: 12_000_000)) }
    var writer = FrameWriter.opened()
    writer.setting(4, 10_000_000)
    writer.windowUpdate(10_000_000)
    writer.get(stream: 1)
    peer.receive(writer.bytes)
    #expect((10_000_000..<12_000_000).contains(peer.written))
    #expect(peer.session.nextDeadline == peer.now + 30_000_000_000)
  }

  @Test("requests that do not go on")
  func stalledContent() {
    let peer = HTTP2Peer()
    var writer = FrameWriter.opened()
    writer.headers(FrameWriter.request("POST", "/"), stream: 1, ends: false)
    peer.receive(writer.bytes)
    peer.now += 29_000_000_000
    peer.receive { $0.data([1], stream: 1) }
    #expect(peer.session.nextDeadline == peer.now + 1_000_000_000)
    peer.now += 1_000_000_000
    peer.session.expire(now: peer.now)
    peer.turn()
    #expect(peer.headers[1]?[":status"] == "408" && peer.resets == [1: 0] && peer.goAway == nil)
  }

  @Test("header sections and prefaces that trickle")
  func slowHead() {
    for bytes in [
      Array(FrameWriter.preface.prefix(5)), FrameWriter.preface,
      FrameWriter.opened().bytes + [0, 0, 4, 1, 0, 0, 0, 0, 1, 0x82],
    ] {
      let peer = HTTP2Peer()
      peer.receive(bytes, pieces: 1)
      #expect(peer.session.nextDeadline == peer.now + 10_000_000_000)
      peer.now += 10_000_000_000
      peer.session.expire(now: peer.now)
      peer.turn()
      #expect(peer.goAway == Self.calm && peer.session.isFinished)
    }
  }

  @Test("connections on which nothing happens but PING")
  func idle() {
    let peer = HTTP2Peer()
    peer.receive(FrameWriter.opened().bytes)
    for _ in 0..<59 {
      peer.now += 1_000_000_000
      peer.receive { $0.frame(.ping, [UInt8](repeating: 0, count: 8)) }
    }
    #expect(peer.session.nextDeadline == peer.now + 1_000_000_000)
    peer.now += 1_000_000_000
    peer.session.expire(now: peer.now)
    peer.turn()
    #expect(peer.goAway == 0 && peer.session.isFinished)
  }

  @Test("a stream that is refused: the connection is not taken for one whose header section hangs")
  func refusedHead() {
    let peer = HTTP2Peer()
    peer.answer = { _ in nil }
    var writer = FrameWriter.opened()
    for stream in stride(from: 1, through: 201, by: 2) { writer.get(stream: Int32(stream)) }
    peer.receive(writer.bytes)
    #expect(peer.resets == [201: 7] && peer.session.nextDeadline == .max)
  }

  @Test("any bytes whatever: no trap, and an end that is reported", arguments: 0..<20)
  func garbage(_ seed: Int) {
    var generator = SeededGenerator(seed: UInt64(seed))
    for _ in 0..<50 {
      let peer = HTTP2Peer()
      var writer = FrameWriter.opened()
      for _ in 0..<40 {
        let payload = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
          UInt8.random(in: 0...255, using: &generator)
        }
        let kind = FrameWriter.Kind(rawValue: .random(in: 0...9, using: &generator)) ?? .unknown
        let stream = Int32.random(in: 0...7, using: &generator)
        switch Int.random(in: 0...3, using: &generator) {
        case 0: writer.get("/\(stream)", stream: stream)
        case 1: writer.data(payload, stream: stream, ends: Bool.random(using: &generator))
        default: writer.frame(kind, flags: .random(in: 0...255, using: &generator), stream: stream, payload)
        }
      }
      peer.receive(writer.bytes, pieces: Int.random(in: 1...200, using: &generator))
      if peer.session.failure != nil { #expect(peer.session.isFinished) }
    }
  }
}

/// What this process has in memory.
func residentBytes() -> Int {
  guard let file = fopen("/proc/self/statm", "r") else { return 0 }
  defer { fclose(file) }
  var pages = (0, 0)
  withUnsafeMutablePointer(to: &pages) { pointer in
    pointer.withMemoryRebound(to: Int.self, capacity: 2) { numbers in
      _ = withVaList([numbers, numbers + 1]) { vfscanf(file, "%ld %ld", $0) }
    }
  }
  return pages.1 * 4096
}
