import HTTP
import TestSupport
import Testing

@Suite("the request parser and random bytes")
struct RequestParserPropertyTests {
  static let seeds: [String] = [
    "GET /v1/top-items?location=42&n=3 HTTP/1.1\r\nHost: a.example:8080\r\nAccept: */*\r\n\r\n",
    "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello worldGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
      + "5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nT: x\r\n\r\nHEAD /%41%2e HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n",
    "OPTIONS * HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET http://h/p?q HTTP/1.1\r\nHost: h\r\n\r\n",
  ]
  /// Bytes that mean something are more likely to get far than random ones.
  static let telling = Array("\r\n\r\n :;,%/.?#\t\0\u{7F}0159aFxz-+*\\\"".utf8) + [0x80, 0xC0, 0xFF]

  @Test("mutated requests never trap, and lead to the same however they are cut", arguments: 0..<16)
  func mutations(_ seed: Int) {
    var generator = SeededGenerator(seed: UInt64(seed))
    var limits = RequestLimits()
    limits.requestLine = 60
    limits.fieldBytes = 120
    limits.fieldCount = 6
    limits.bodyBytes = 20
    limits.chunkExtensionBytes = 8
    for round in 0..<400 {
      var bytes = Array((RequestParserPropertyTests.seeds.randomElement(using: &generator) ?? "").utf8)
      for _ in 0..<Int.random(in: 0...6, using: &generator) { mutate(&bytes, &generator) }
      let used = round % 2 == 0 ? limits : RequestLimits()
      let whole = outcomes(bytes, limits: used)
      var pieces: [Int] = []
      while pieces.reduce(0, +) < bytes.count { pieces.append(Int.random(in: 1...9, using: &generator)) }
      let cut = outcomes(bytes, pieces: pieces, limits: used)
      let single = outcomes(bytes, pieces: Array(repeating: 1, count: bytes.count), limits: used)
      guard cut == whole, single == whole else {
        Issue.record(
          "seed \(seed), round \(round): \(String(decoding: bytes, as: UTF8.self).debugDescription)"
        )
        return
      }
    }
  }

  private func mutate(_ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
    guard !bytes.isEmpty else { return }
    let index = Int.random(in: 0..<bytes.count, using: &generator)
    let byte = RequestParserPropertyTests.telling.randomElement(using: &generator) ?? 0
    switch Int.random(in: 0..<5, using: &generator) {
    case 0: bytes[index] = byte
    case 1: bytes.insert(byte, at: index)
    case 2: bytes.remove(at: index)
    case 3: bytes[index] = UInt8.random(in: 0...255, using: &generator)
    default:
      let end = min(bytes.count, index + Int.random(in: 1...20, using: &generator))
      bytes.insert(contentsOf: bytes[index..<end], at: Int.random(in: 0...bytes.count, using: &generator))
    }
  }
}
