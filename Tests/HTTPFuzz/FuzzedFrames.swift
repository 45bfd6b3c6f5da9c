import HTTP

/// A connection of HTTP/2: whatever comes, what we keep and send stays within bounds.
struct FuzzedFrames: Fuzzed {
  private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0]
  let bytes: [UInt8]

  init(_ corpus: Corpus, _ random: inout SeededRandom) {
    var frames: [UInt8] = []
    for _ in 0..<random.number(1...6) {
      if random.number(0...2) == 0 {
        frames += Self.frame(&random)
      } else {
        frames += corpus.frames[random.number(0...corpus.frames.count - 1)]
      }
    }
    random.mutate(&frames)
    bytes = (random.number(0...20) == 0 ? [] : Self.preface) + frames
  }

  /// A frame with the right length, and anything else.
  private static func frame(_ random: inout SeededRandom) -> [UInt8] {
    let payload = random.bytes(random.number(0...40))
    let stream = UInt8(random.number(0...9))
    let head = [
      0, 0, UInt8(payload.count), UInt8(random.number(0...11)), UInt8.random(in: 0...255, using: &random),
    ]
    return head + [0, 0, 0, stream] + payload
  }

  func brokenLaw(_ random: inout SeededRandom) -> BrokenLaw? {
    var limits = RequestLimits()
    limits.bodyBytes = 1000
    let session = HTTP2Session(request: limits, now: 0)
    let date = DateField(second: 0)
    var output: [UInt8] = []
    var now: UInt64 = 0
    var start = 0
    for count in random.cuts(bytes.count) {
      now += UInt64(random.number(0...1_000_000))
      bytes[start..<(start + count)].withUnsafeBytes { session.receive($0, now: now) }
      start += count
      while let incoming = session.nextIncoming() {
        switch incoming {
        case .request(let request, let id):
          guard request.body.count <= limits.bodyBytes, request.fields.count <= limits.fieldCount + 2 else {
            return BrokenLaw(law: "a request keeps its limits", input: bytes)
          }
          guard (try? Target(request.target.raw, method: request.method)) != nil else {
            return BrokenLaw(law: "a request has a valid target", input: bytes)
          }
          let response = Response(status: .ok, body: [UInt8](repeating: 1, count: random.number(0...5000)))
          session.answer(response, on: id, date: date)
        case .refusal(let error, let id): session.answer(Response(status: error.status), on: id, date: date)
        }
      }
      _ = session.takeNotices()
      session.write(into: &output, limit: 65_536, now: now)
      if output.count > 16 * 1024 * 1024 {
        return BrokenLaw(law: "little input makes little output", input: bytes)
      }
    }
    session.expire(now: now + 3_600_000_000_000)
    session.write(into: &output, now: now + 3_600_000_000_000)
    return nil
  }
}
