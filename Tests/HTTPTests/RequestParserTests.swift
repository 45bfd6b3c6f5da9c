import HTTP
import HTTPCases
import Testing

@Suite("what the request parser accepts")
struct RequestParserTests {
  @Test("is the same however the bytes are split", arguments: AcceptedRequests.all)
  func accepts(_ example: AcceptedRequests) {
    #expect(outcomesHoweverSplit(example.input).map(\.description) == example.outcomes)
  }

  @Test("the parts of a request arrive as they were sent")
  func parts() throws {
    let input =
      "PATCH /a%20b?q=1 HTTP/1.1\r\nHost: h:1\r\nX-One:  a b \r\nx-one: c\r\nEmpty:\r\nContent-Length: 3\r\n\r\nxyz"
    guard
      case .request(let method, let target, let path, let fields, let body, let persists) = outcomes(
        Array(input.utf8)
      ).first
    else {
      Issue.record("no request")
      return
    }
    #expect(method == .patch)
    #expect(target == "/a%20b?q=1")
    #expect(path == "/a b")
    #expect(fields == ["Host": "h:1", "X-One": "a b", "x-one": "c", "Empty": "", "Content-Length": "3"])
    #expect(fields["X-ONE"] == "a b, c")
    #expect(fields["empty"] == "")
    #expect(body == Array("xyz".utf8))
    #expect(persists)
  }

  @Test(
    "a connection persists as RFC 9112 §9.3 says",
    arguments: [
      ("1.1", "", true), ("1.1", "Connection: close\r\n", false), ("1.1", "Connection: x, CLOSE\r\n", false),
      ("1.1", "Connection: x\r\nConnection: close\r\n", false), ("1.1", "Connection: closed\r\n", true),
      ("1.0", "", false), ("1.0", "Connection: Keep-Alive\r\n", true),
      ("1.0", "Connection: keep-alive, close\r\n", false),
    ]
  )
  func persistence(_ version: String, _ field: String, _ expected: Bool) {
    let input = "GET / HTTP/\(version)\r\nHost: a\r\n\(field)\r\n"
    guard case .request(_, _, _, _, _, let persists) = outcomesHoweverSplit(input).first else {
      Issue.record("no request")
      return
    }
    #expect(persists == expected)
  }

  @Test("the authority of an absolute-form target overrides Host")
  func authority() throws {
    let request = Request(target: try Target("http://B:81/x"), fields: ["Host": "a"])
    #expect(request.authority == "B:81")
    #expect(Request(target: try Target("/x"), fields: ["Host": "a"]).authority == "a")
  }

  @Test("trailers never become header fields")
  func trailers() {
    let input =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nAuthorization: x\r\nHost: b\r\n\r\n"
    guard case .request(_, _, _, let fields, _, _) = outcomesHoweverSplit(input).first else {
      Issue.record("no request")
      return
    }
    #expect(fields == ["Host": "a", "Transfer-Encoding": "chunked"])
  }

  @Test("the parser says whether it is between requests or reading content, for the deadlines")
  func stages() {
    var parser = RequestParser()
    func feed(_ text: String) {
      let bytes = Array(text.utf8)
      var position = 0
      _ = parser.parse(bytes.span, from: &position)
    }
    #expect(parser.isIdle)
    feed("\r\n")
    #expect(parser.isIdle)
    feed("P")
    #expect(!parser.isIdle && !parser.isReadingContent && parser.method == nil)
    feed("OST / HTTP/1.1\r\nHost: a\r\n")
    #expect(!parser.isReadingContent && parser.method == .post)
    feed("Content-Length: 2\r\n\r\n")
    #expect(parser.isReadingContent)
    feed("ab")
    #expect(parser.isIdle && !parser.isReadingContent)
  }
}
