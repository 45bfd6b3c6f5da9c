import HTTP
import HTTPCases
import Testing

@Suite("what the request parser refuses")
struct RequestParserRefusalTests {
  @Test(
    "is refused alike however the bytes are split",
    arguments: RefusedRequest.all
  )
  func refuses(_ example: RefusedRequest) {
    // What comes behind a refused request is never looked at.
    let behind = Array("GET /behind HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
    let expected = ["\(example.status)"]
    let whole = outcomesHoweverSplit(example.bytes + behind)
    #expect(whole.last.map(\.description) == expected.last)
    #expect(!whole.contains { $0.description.contains("behind") })
  }

  @Test("limits hold to the byte")
  func exactLimits() {
    let longest = "GET /" + String(repeating: "a", count: 8000 - 14) + " HTTP/1.1\r\nHost: a\r\n\r\n"
    #expect(outcomesHoweverSplit(longest).count == 1)
    #expect(outcomesHoweverSplit(longest).first.map { $0.description.hasPrefix("GET") } == true)
    var limits = RequestLimits()
    limits.fieldBytes = 20
    limits.fieldCount = 2
    limits.bodyBytes = 3
    func status(_ fields: String, _ body: String = "") -> String? {
      outcomesHoweverSplit("POST / HTTP/1.1\r\n\(fields)\r\n\(body)", limits: limits).last?.description
    }
    #expect(status("Host: a\r\nX: 34567\r\n") == "POST / +0")  // 9 + 10 bytes.
    #expect(status("Host: a\r\nX: 345678\r\n") == "POST / +0")
    #expect(status("Host: a\r\nX: 3456789\r\n") == "431")
    #expect(status("Host: a\r\nX:\r\nY:\r\n") == "431")
    limits.fieldBytes = 1000
    #expect(status("Host: a\r\nContent-Length: 3\r\n", "abc") == "POST / +3")
    #expect(status("Host: a\r\nContent-Length: 4\r\n", "abcd") == "413")
    #expect(
      status("Host: a\r\nTransfer-Encoding: chunked\r\n", "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n") == "POST / +3"
    )
    #expect(status("Host: a\r\nTransfer-Encoding: chunked\r\n", "2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n") == "413")
  }

  @Test("a failure stays a failure")
  func failureIsFinal() {
    var parser = RequestParser()
    let bad = Array("BAD\r\n".utf8)
    let good = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
    for bytes in [bad, good, good] {
      var position = 0
      guard case .failure(let error) = parser.parse(bytes.span, from: &position) else {
        Issue.record("no failure")
        return
      }
      #expect(error.status == .badRequest)
    }
  }
}
