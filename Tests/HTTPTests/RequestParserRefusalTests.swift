import HTTP
import Testing

@Suite("what the request parser refuses")
struct RequestParserRefusalTests {
  struct Case: CustomTestStringConvertible {
    let name: String
    let input: [UInt8]
    let status: Int
    var testDescription: String { name }

    init(_ name: String, _ input: String, _ status: Int = 400) {
      self.name = name
      self.input = Array(input.utf8)
      self.status = status
    }

    init(_ name: String, bytes: [UInt8], _ status: Int = 400) {
      self.name = name
      input = bytes
      self.status = status
    }

    static func field(_ name: String, _ line: String, _ status: Int = 400) -> Case {
      Case(name, "POST / HTTP/1.1\r\nHost: a\r\n\(line)\r\n\r\n", status)
    }

    static func chunk(_ name: String, _ content: String, _ status: Int = 400) -> Case {
      Case(name, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\(content)", status)
    }
  }

  static let hosts =
    [
      Case("Host missing", "GET / HTTP/1.1\r\nX: y\r\n\r\n"),
      Case("Host twice", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
      Case("Host twice in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n"),
      Case("Host missing with an absolute-form target", "GET http://a/ HTTP/1.1\r\n\r\n"),
    ]
    + [
      "", "a b", "a/b", "a,b c", "u@a", "a:b", "a:65536", "a:123456", "a:-1", "[::1", "[::g]", "[1.2.3.4]",
      "[::1]x", "a%2", "a%zz",
      "é", "a?b", "a#b", "a\\b", "<a>", String(repeating: "a", count: 300),
    ].map { Case("Host: \($0.prefix(20))", "GET / HTTP/1.1\r\nHost: \($0)\r\n\r\n") }

  static let lengths =
    [
      Case.field("Content-Length and Transfer-Encoding", "Content-Length: 5\r\nTransfer-Encoding: chunked"),
      Case.field("Transfer-Encoding and Content-Length", "Transfer-Encoding: chunked\r\nContent-Length: 5"),
      Case.field("two lengths", "Content-Length: 5\r\nContent-Length: 6"),
      Case.field("the same length twice", "Content-Length: 5\r\nContent-Length: 5"),
      Case.field("whitespace before the colon", "Content-Length : 5"),
      Case.field("a length beyond the limit", "Content-Length: 1048577", 413),
      Case.field("the greatest length", "Content-Length: \(Int.max)", 413),
    ]
    + [
      "+5", "-1", "5 ", "5\t", "0x5", "5,6", "5, 5", "", "5 6", "５", "18446744073709551617",
      "9223372036854775808",
      "99999999999999999999", "00000000000000000005",
    ].map { Case.field("Content-Length: \($0)", "Content-Length: \($0)") }

  static let codings =
    [
      ("xchunked", 501), ("chunked, identity", 400), ("chunked ", 400), ("chunked\u{0B}", 400),
      ("\u{0B}chunked", 400),
      ("", 400), ("chunked, chunked", 400), ("gzip, chunked", 501), ("identity", 501), (",chunked", 400),
      ("chunked,", 400), ("chunked;q=1", 400), ("\"chunked\"", 400), ("chun ked", 400),
    ].map { Case.field("Transfer-Encoding: \($0.0)", "Transfer-Encoding: \($0.0)", $0.1) } + [
      Case.field("chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
      Case(
        "Transfer-Encoding in HTTP/1.0",
        "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      ),
    ]

  static let chunks = [
    Case.chunk("a chunk size of 2⁶⁴", "10000000000000000\r\n"),
    Case.chunk("a chunk size of 2⁶³", "8000000000000000\r\n"),
    Case.chunk("a chunk size beyond the limit", "7fffffffffffffff\r\n", 413),
    Case.chunk("chunks beyond the limit together", "1\r\nx\r\n100000\r\n", 413),
    Case.chunk("too many digits", "00000000000000000\r\n"),
    Case.chunk("a prefix", "0x5\r\nhello\r\n"),
    Case.chunk("a negative size", "-5\r\nhello\r\n"),
    Case.chunk("a sign", "+5\r\nhello\r\n"),
    Case.chunk("no size", "\r\n"),
    Case.chunk("no size before an extension", ";x\r\n"),
    Case.chunk("whitespace after the size", "5 \r\nhello\r\n"),
    Case.chunk("whitespace before the size", " 5\r\nhello\r\n"),
    Case.chunk("no CRLF after the data", "5\r\nhelloX"),
    Case.chunk("data longer than its size", "5\r\nhello!\r\n"),
    Case.chunk("a bare LF after the data", "5\r\nhello\n"),
    Case.chunk("a bare LF after the size", "5\nhello\r\n"),
    Case.chunk("a bare CR after the size", "5\rhello\r\n"),
    Case.chunk("a control character in an extension", "5;\u{01}\r\nhello\r\n"),
    Case.chunk("an extension of 64 KiB", "5;" + String(repeating: "x", count: 65_536) + "\r\nhello\r\n"),
    Case.chunk(
      "many extensions together",
      String(repeating: "1;" + String(repeating: "x", count: 1000) + "\r\nx\r\n", count: 5)
    ),
    Case.chunk("a trailer without a name", "0\r\n: x\r\n\r\n"),
    Case.chunk("a folded trailer", "0\r\nX: y\r\n z\r\n\r\n"),
    Case.chunk(
      "trailers beyond the limit",
      "0\r\nX: " + String(repeating: "y", count: 33_000) + "\r\n\r\n",
      431
    ),
    Case.chunk("too many trailers", "0\r\n" + String(repeating: "X: y\r\n", count: 100) + "\r\n", 431),
  ]

  static let fields = [
    Case.field("a space before the colon", "X : y"),
    Case.field("a folded line", "X: y\r\n z"),
    Case.field("a folded line with a tab", "X: y\r\n\tz"),
    Case("a first line that is folded", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    Case.field("a bare CR", "X: y\rz"),
    Case.field("a bare LF", "X: y\nHost: b"),
    Case.field("CR CR LF", "X: y\r"),
    Case.field("a NUL", "X: y\0z"),
    Case.field("a control character", "X: y\u{1F}z"),
    Case.field("DEL", "X: y\u{7F}z"),
    Case.field("a name with a space", "X Y: z"),
    Case.field("a name with a delimiter", "X(Y): z"),
    Case.field("a name with a letter beyond ASCII", "Ünit: z"),
    Case.field("no name", ": z"),
    Case.field("no colon", "XYZ"),
    Case.field("101 fields", Array(repeating: "X: y", count: 100).joined(separator: "\r\n"), 431),
    Case.field("fields beyond the limit", "X: " + String(repeating: "y", count: 32 * 1024), 431),
    Case.field(
      "many fields beyond the limit",
      Array(repeating: "X: " + String(repeating: "y", count: 1000), count: 40).joined(separator: "\r\n"),
      431
    ),
    Case.field("an unknown expectation", "Expect: 200-ok", 417),
    Case.field("a second expectation", "Expect: 100-continue, x", 417),
  ]

  static let lines = [
    Case("HTTP/0.9", "GET /\r\n"),
    Case("HTTP/0.9 with a space", "GET / \r\n"),
    Case("HTTP/1.2", "GET / HTTP/1.2\r\n", 505),
    Case("HTTP/2.0", "GET / HTTP/2.0\r\n", 505),
    Case("HTTP/0.9 by its name", "GET / HTTP/0.9\r\n", 505),
    Case("the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    Case("a version in small letters", "GET / http/1.1\r\n"),
    Case("a version with more digits", "GET / HTTP/1.10\r\n"),
    Case("another protocol", "GET / SIP/2.0\r\n"),
    Case("garbage", "hello there\r\n"),
    Case("garbage that ends with LF", "hello\n"),
    Case("a TLS hello", bytes: [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03, 0x03]),
    Case("two empty lines", "\r\n\r\nGET / HTTP/1.1\r\n"),
    Case("two spaces", "GET  / HTTP/1.1\r\n"),
    Case("a trailing space", "GET / HTTP/1.1 \r\n"),
    Case("a leading space", " GET / HTTP/1.1\r\n"),
    Case("a tab for a space", "GET\t/ HTTP/1.1\r\n"),
    Case("no method", " / HTTP/1.1\r\n"),
    Case("a method that is no token", "G(T / HTTP/1.1\r\n"),
    Case("an unknown method", "BREW / HTTP/1.1\r\n", 501),
    Case("a method in small letters", "get / HTTP/1.1\r\n", 501),
    Case("CONNECT", "CONNECT a:443 HTTP/1.1\r\n", 501),
    Case("a long method", String(repeating: "A", count: 1000) + " / HTTP/1.1\r\n", 501),
    Case(
      "a request line of 8001 bytes",
      "GET /" + String(repeating: "a", count: 8001 - 14) + " HTTP/1.1\r\n",
      414
    ),
    Case("a request line without an end", String(repeating: "a", count: 20_000), 414),
    Case("* for GET", "GET * HTTP/1.1\r\n"),
    Case("a NUL in the target", "GET /\0 HTTP/1.1\r\n"),
    Case("a letter beyond ASCII in the target", "GET /é HTTP/1.1\r\n"),
    Case("a fragment", "GET /#x HTTP/1.1\r\n"),
  ]

  @Test(
    "is refused alike however the bytes are split",
    arguments: hosts + lengths + codings + chunks + fields + lines
  )
  func refuses(_ example: Case) {
    // What comes behind a refused request is never looked at.
    let behind = Array("GET /behind HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
    let expected = ["\(example.status)"]
    let whole = outcomesHoweverSplit(example.input + behind)
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
