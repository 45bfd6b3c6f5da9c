import HTTPCases
import Testing

@testable import HTTP

/// A session under test, fed with bytes, and what it has answered, frame by frame.
final class HTTP2Peer {
  let session: HTTP2Session
  var now: UInt64 = 1_000_000_000
  private let reader = FrameReader()
  /// What the session asked to be answered.
  private(set) var requests: [Int32: Request] = [:]
  private(set) var refusals: [Int32: ProtocolError] = [:]
  private(set) var order: [Int32] = []
  /// How often it asked for a response.
  private(set) var asked = 0
  private(set) var notices: [HTTP2Session.Notice] = []
  /// Bytes that `write` gave.
  private(set) var written = 0
  /// Nil: the request stays unanswered.
  var answer: (Request) -> Response? = { Response(status: .ok, text: $0.target.raw) }

  init(
    _ limits: HTTP2Limits = HTTP2Limits(),
    request: RequestLimits = RequestLimits(),
    contentLimit: Int = .max
  ) {
    session = HTTP2Session(limits: limits, request: request, contentLimit: { _ in contentLimit }, now: now)
  }

  var frames: [FrameReader.Frame] { reader.frames }
  var headers: [Int32: [String: String]] { reader.headers }
  var content: [Int32: [UInt8]] { reader.content }
  var resets: [Int32: UInt32] { reader.resets }
  /// The code that the connection was ended with.
  var goAway: UInt32? { reader.goAway }

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
    reader.receive(output)
    if !reader.isIntact { Issue.record("a header block is broken") }
  }
}
