import CNghttp2
import Testing

@testable import HTTP

/// A session under test, fed with bytes, and what it has answered, frame by frame.
final class HTTP2Peer {
  struct Frame: Equatable {
    var type: UInt8
    var flags: UInt8
    var stream: Int32
    var payload: [UInt8]

    /// The error code of RST_STREAM and GOAWAY.
    var code: UInt32 { payload.suffix(4).reduce(0) { $0 << 8 | UInt32($1) } }
    var goAwayCode: UInt32 { payload[4..<8].reduce(0) { $0 << 8 | UInt32($1) } }
  }

  let session: HTTP2Session
  var now: UInt64 = 1_000_000_000
  private(set) var frames: [Frame] = []
  private(set) var headers: [Int32: [String: String]] = [:]
  private(set) var content: [Int32: [UInt8]] = [:]
  /// What the session asked to be answered.
  private(set) var requests: [Int32: Request] = [:]
  private(set) var refusals: [Int32: ProtocolError] = [:]
  private(set) var order: [Int32] = []
  /// How often it asked for an answer.
  private(set) var asked = 0
  private(set) var notices: [HTTP2Session.Notice] = []
  /// Bytes that `write` gave.
  private(set) var written = 0
  private var unread: [UInt8] = []
  private var inflater: OpaquePointer?
  /// Nil: the request stays unanswered.
  var answer: (Request) -> Response? = { Response(status: .ok, text: $0.target.raw) }

  init(
    _ limits: HTTP2Limits = HTTP2Limits(),
    request: RequestLimits = RequestLimits(),
    contentLimit: Int = .max
  ) {
    session = HTTP2Session(limits: limits, request: request, contentLimit: { _ in contentLimit }, now: now)
    nghttp2_hd_inflate_new(&inflater)
  }

  deinit {
    nghttp2_hd_inflate_del(inflater)
  }

  /// Feeds the bytes in pieces of this size, answering after each.
  func receive(_ bytes: [UInt8], pieces size: Int = 65_536) {
    for start in stride(from: 0, to: bytes.count, by: size) {
      bytes[start..<min(start + size, bytes.count)].withUnsafeBytes { session.receive($0, now: now) }
      turn()
    }
  }

  /// Feeds what `build` writes.
  func receive(pieces size: Int = 65_536, _ build: (inout FrameWriter) -> Void) {
    var writer = FrameWriter()
    build(&writer)
    receive(writer.bytes, pieces: size)
  }

  /// Answers what is to be answered, and reads what there is to send.
  func turn(limit: Int = .max) {
    let date = DateField(second: 0)
    while let incoming = session.nextIncoming() {
      asked += 1
      switch incoming {
      case .request(let request, let id):
        requests[id] = request
        order.append(id)
        if let response = answer(request) { session.answer(response, on: id, date: date) }
      case .refusal(let error, let id):
        refusals[id] = error
        session.answer(Response(status: error.status, text: error.detail), on: id, date: date)
      }
    }
    var output: [UInt8] = []
    session.write(into: &output, limit: limit, now: now)
    notices += session.takeNotices()
    written += output.count
    unread += output
    readFrames()
  }

  var resets: [Int32: UInt32] {
    Dictionary(
      frames.filter { $0.type == 3 }.map { ($0.stream, $0.code) },
      uniquingKeysWith: { first, _ in first }
    )
  }

  /// The code that the connection was ended with.
  var goAway: UInt32? { frames.last { $0.type == 7 }?.goAwayCode }

  private func readFrames() {
    var start = 0
    while unread.count - start >= 9 {
      let length = unread[start..<(start + 3)].reduce(0) { $0 << 8 | Int($1) }
      guard unread.count - start >= 9 + length else { break }
      let stream = unread[(start + 5)..<(start + 9)].reduce(0) { $0 << 8 | Int32($1) }
      let payload = Array(unread[(start + 9)..<(start + 9 + length)])
      note(Frame(type: unread[start + 3], flags: unread[start + 4], stream: stream, payload: payload))
      start += 9 + length
    }
    unread.removeSubrange(..<start)
  }

  private func note(_ frame: Frame) {
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
        Issue.record("the header block is broken")
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
