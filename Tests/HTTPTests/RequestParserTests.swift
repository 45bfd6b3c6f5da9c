import HTTP
import Testing

@Suite("what the request parser accepts")
struct RequestParserTests {
  struct Case: CustomTestStringConvertible {
    let name: String
    let input: String
    let outcomes: [String]
    var testDescription: String { name }
  }

  static let cases = [
    Case(name: "a plain GET", input: "GET /v1 HTTP/1.1\r\nHost: a\r\n\r\n", outcomes: ["GET /v1 +0"]),
    Case(name: "HEAD", input: "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", outcomes: ["HEAD / +0"]),
    Case(name: "OPTIONS *", input: "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", outcomes: ["OPTIONS * +0"]),
    Case(name: "HTTP/1.0 without Host", input: "GET / HTTP/1.0\r\n\r\n", outcomes: ["GET / +0"]),
    Case(
      name: "absolute-form",
      input: "GET http://b:80/x?y HTTP/1.1\r\nHost: a\r\n\r\n",
      outcomes: ["GET http://b:80/x?y +0"]
    ),
    Case(
      name: "a body by its length",
      input: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
      outcomes: ["POST / +5"]
    ),
    Case(
      name: "a body of length zero",
      input: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
      outcomes: ["POST / +0"]
    ),
    Case(
      name: "a chunked body",
      input:
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n",
      outcomes: ["POST / +15"]
    ),
    Case(
      name: "chunk extensions and leading zeros",
      input: "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        + "005;name=value;other=\"x y\"\r\nhello\r\n000;x\r\n\r\n",
      outcomes: ["POST / +5"]
    ),
    Case(
      name: "trailers",
      input: "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        + "1\r\nx\r\n0\r\nHost: evil\r\nContent-Length: 99\r\nAuthorization: Basic x\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
      outcomes: ["POST / +1", "GET / +0"]
    ),
    Case(
      name: "pipelined requests",
      input:
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nabGET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
      outcomes: ["GET /1 +0", "POST /2 +2", "GET /3 +0"]
    ),
    Case(
      name: "one empty line before a request",
      input: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
      outcomes: ["POST / +1", "GET / +0"]
    ),
    Case(
      name: "Expect with content",
      input: "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\nx",
      outcomes: ["100", "PUT / +1"]
    ),
    Case(
      name: "Expect without content",
      input: "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
      outcomes: ["GET / +0"]
    ),
    Case(
      name: "Expect of HTTP/1.0 is ignored",
      input: "PUT / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
      outcomes: ["PUT / +1"]
    ),
    Case(name: "an unfinished head", input: "GET / HTTP/1.1\r\nHost: a\r\n", outcomes: []),
    Case(
      name: "an unfinished body",
      input: "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx",
      outcomes: []
    ),
    Case(
      name: "obs-text and tabs in a value",
      input: "GET / HTTP/1.1\r\nHost: a\r\nX: \t é\t x\t\r\n\r\n",
      outcomes: ["GET / +0"]
    ),
    Case(name: "an IPv6 Host", input: "GET / HTTP/1.1\r\nhost:[::1]:8080\r\n\r\n", outcomes: ["GET / +0"]),
    Case(
      name: "a Host with an empty port",
      input: "GET / HTTP/1.1\r\nHost: a:\r\n\r\n",
      outcomes: ["GET / +0"]
    ),
  ]

  @Test("is the same however the bytes are split", arguments: cases)
  func accepts(_ example: Case) {
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
