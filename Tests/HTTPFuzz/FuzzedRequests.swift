import HTTP

/// A connection of HTTP/1.1: what comes out does not depend on how it is cut, and nothing comes after a failure.
struct FuzzedRequests: Fuzzed {
  let bytes: [UInt8]
  private let limits: RequestLimits

  init(_ corpus: Corpus, _ random: inout SeededRandom) {
    var bytes = corpus.requests[random.number(0...corpus.requests.count - 1)]
    if random.number(0...4) == 0 { bytes += corpus.requests[random.number(0...corpus.requests.count - 1)] }
    random.mutate(&bytes)
    self.bytes = bytes
    var limits = RequestLimits()
    if random.number(0...1) == 0 {
      limits.requestLine = random.number(1...100)
      limits.fieldBytes = random.number(1...200)
      limits.fieldCount = random.number(1...8)
      limits.bodyBytes = random.number(0...40)
      limits.chunkExtensionBytes = random.number(0...20)
    }
    self.limits = limits
  }

  func brokenLaw(_ random: inout SeededRandom) -> BrokenLaw? {
    let whole = outcomes([bytes.count])
    if outcomes(random.cuts(bytes.count)) != whole {
      return BrokenLaw(law: "cut otherwise, the requests are the same", input: bytes)
    }
    if outcomes(Array(repeating: 1, count: bytes.count)) != whole {
      return BrokenLaw(law: "byte by byte, the requests are the same", input: bytes)
    }
    return nil
  }

  private func outcomes(_ cuts: [Int]) -> [String] {
    var parser = RequestParser(limits: limits)
    var outcomes: [String] = []
    var start = 0
    for count in cuts {
      let piece = Array(bytes[start..<(start + count)])
      start += count
      var position = 0
      events: while true {
        switch parser.parse(piece.span, from: &position) {
        case .needMore:
          precondition(position == piece.count, "needMore uses all input")
          break events
        case .content(let request, let expectsContinue): outcomes.append("head \(request) \(expectsContinue)")
        case .request(let request):
          precondition(request.body.count <= limits.bodyBytes, "a body is no longer than its limit")
          precondition(request.fields.count <= limits.fieldCount, "nor are there more fields")
          outcomes.append("\(request.method) \(request.target.raw) \(Array(request.fields)) \(request.body)")
        case .failure(let error): return outcomes + ["\(error)"]
        }
      }
    }
    return outcomes
  }
}

/// A body in random chunks with extensions and trailers: it comes out as it was.
struct FuzzedChunks: Fuzzed {
  let bytes: [UInt8]
  private let body: [UInt8]

  init(_ corpus: Corpus, _ random: inout SeededRandom) {
    body = random.bytes(random.number(0...300))
    var bytes = Array("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
    var start = 0
    for count in random.cuts(body.count) {
      let zeros = String(repeating: "0", count: random.number(0...3))
      let size = zeros + String(count, radix: 16, uppercase: random.number(0...1) == 0)
      let name = random.number(0...3) == 0 ? ";x=\"y \(random.number(0...99))\"" : ""
      bytes += Array("\(size)\(name)\r\n".utf8) + body[start..<(start + count)] + [0x0D, 0x0A]
      start += count
    }
    bytes += Array("0\r\n".utf8)
    for _ in 0..<random.number(0...3) { bytes += Array("Host: evil\r\n".utf8) }
    self.bytes = bytes + Array("\r\n".utf8)
  }

  func brokenLaw(_ random: inout SeededRandom) -> BrokenLaw? {
    var parser = RequestParser()
    var start = 0
    for count in random.cuts(bytes.count) {
      let piece = Array(bytes[start..<(start + count)])
      start += count
      var position = 0
      events: while true {
        switch parser.parse(piece.span, from: &position) {
        case .needMore: break events
        case .content: continue
        case .request(let request):
          guard start == bytes.count, request.body == body, request.fields["Host"] == "a" else {
            break events
          }
          return nil
        case .failure: break events
        }
      }
    }
    return BrokenLaw(law: "a chunked body comes out as it was, and its trailers are dropped", input: bytes)
  }
}
