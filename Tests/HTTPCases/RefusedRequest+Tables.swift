extension RefusedRequest {
  static let hosts =
    [
      RefusedRequest("Host missing", "GET / HTTP/1.1\r\nX: y\r\n\r\n"),
      RefusedRequest("Host twice", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
      RefusedRequest("Host twice in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n"),
      RefusedRequest("Host missing with an absolute-form target", "GET http://a/ HTTP/1.1\r\n\r\n"),
    ]
    + [
      "", "a b", "a/b", "a,b c", "u@a", "a:b", "a:65536", "a:123456", "a:-1", "[::1", "[::g]", "[1.2.3.4]",
      "[::1]x", "a%2", "a%zz",
      "é", "a?b", "a#b", "a\\b", "<a>", String(repeating: "a", count: 300),
    ].map { RefusedRequest("Host: \($0.prefix(20))", "GET / HTTP/1.1\r\nHost: \($0)\r\n\r\n") }

  static let lengths =
    [
      RefusedRequest.field(
        "Content-Length and Transfer-Encoding",
        "Content-Length: 5\r\nTransfer-Encoding: chunked"
      ),
      RefusedRequest.field(
        "Transfer-Encoding and Content-Length",
        "Transfer-Encoding: chunked\r\nContent-Length: 5"
      ),
      RefusedRequest.field("two lengths", "Content-Length: 5\r\nContent-Length: 6"),
      RefusedRequest.field("the same length twice", "Content-Length: 5\r\nContent-Length: 5"),
      RefusedRequest.field("whitespace before the colon", "Content-Length : 5"),
      RefusedRequest.field("a length beyond the limit", "Content-Length: 1048577", 413),
      RefusedRequest.field("the greatest length", "Content-Length: \(Int.max)", 413),
    ]
    + [
      "+5", "-1", "5 ", "5\t", "0x5", "5,6", "5, 5", "", "5 6", "５", "18446744073709551617",
      "9223372036854775808",
      "99999999999999999999", "00000000000000000005",
    ].map { RefusedRequest.field("Content-Length: \($0)", "Content-Length: \($0)") }

  static let codings =
    [
      ("xchunked", 501), ("chunked, identity", 400), ("chunked ", 400), ("chunked\u{0B}", 400),
      ("\u{0B}chunked", 400),
      ("", 400), ("chunked, chunked", 400), ("gzip, chunked", 501), ("identity", 501), (",chunked", 400),
      ("chunked,", 400), ("chunked;q=1", 400), ("\"chunked\"", 400), ("chun ked", 400),
    ].map { RefusedRequest.field("Transfer-Encoding: \($0.0)", "Transfer-Encoding: \($0.0)", $0.1) } + [
      RefusedRequest.field("chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
      RefusedRequest(
        "Transfer-Encoding in HTTP/1.0",
        "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      ),
    ]

  static let chunks = [
    RefusedRequest.chunk("a chunk size of 2⁶⁴", "10000000000000000\r\n"),
    RefusedRequest.chunk("a chunk size of 2⁶³", "8000000000000000\r\n"),
    RefusedRequest.chunk("a chunk size beyond the limit", "7fffffffffffffff\r\n", 413),
    RefusedRequest.chunk("chunks beyond the limit together", "1\r\nx\r\n100000\r\n", 413),
    RefusedRequest.chunk("too many digits", "00000000000000000\r\n"),
    RefusedRequest.chunk("a prefix", "0x5\r\nhello\r\n"),
    RefusedRequest.chunk("a negative size", "-5\r\nhello\r\n"),
    RefusedRequest.chunk("a sign", "+5\r\nhello\r\n"),
    RefusedRequest.chunk("no size", "\r\n"),
    RefusedRequest.chunk("no size before an extension", ";x\r\n"),
    RefusedRequest.chunk("whitespace after the size", "5 \r\nhello\r\n"),
    RefusedRequest.chunk("whitespace before the size", " 5\r\nhello\r\n"),
    RefusedRequest.chunk("no CRLF after the data", "5\r\nhelloX"),
    RefusedRequest.chunk("data longer than its size", "5\r\nhello!\r\n"),
    RefusedRequest.chunk("a bare LF after the data", "5\r\nhello\n"),
    RefusedRequest.chunk("a bare LF after the size", "5\nhello\r\n"),
    RefusedRequest.chunk("a bare CR after the size", "5\rhello\r\n"),
    RefusedRequest.chunk("a control character in an extension", "5;\u{01}\r\nhello\r\n"),
    RefusedRequest.chunk(
      "an extension of 64 KiB",
      "5;" + String(repeating: "x", count: 65_536) + "\r\nhello\r\n"
    ),
    RefusedRequest.chunk(
      "many extensions together",
      String(repeating: "1;" + String(repeating: "x", count: 1000) + "\r\nx\r\n", count: 5)
    ),
    RefusedRequest.chunk("a trailer without a name", "0\r\n: x\r\n\r\n"),
    RefusedRequest.chunk("a folded trailer", "0\r\nX: y\r\n z\r\n\r\n"),
    RefusedRequest.chunk(
      "trailers beyond the limit",
      "0\r\nX: " + String(repeating: "y", count: 33_000) + "\r\n\r\n",
      431
    ),
    RefusedRequest.chunk(
      "too many trailers",
      "0\r\n" + String(repeating: "X: y\r\n", count: 100) + "\r\n",
      431
    ),
  ]

  static let fields = [
    RefusedRequest.field("a space before the colon", "X : y"),
    RefusedRequest.field("a folded line", "X: y\r\n z"),
    RefusedRequest.field("a folded line with a tab", "X: y\r\n\tz"),
    RefusedRequest("a first line that is folded", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    RefusedRequest.field("a bare CR", "X: y\rz"),
    RefusedRequest.field("a bare LF", "X: y\nHost: b"),
    RefusedRequest.field("CR CR LF", "X: y\r"),
    RefusedRequest.field("a NUL", "X: y\0z"),
    RefusedRequest.field("a control character", "X: y\u{1F}z"),
    RefusedRequest.field("DEL", "X: y\u{7F}z"),
    RefusedRequest.field("a name with a space", "X Y: z"),
    RefusedRequest.field("a name with a delimiter", "X(Y): z"),
    RefusedRequest.field("a name with a letter beyond ASCII", "Ünit: z"),
    RefusedRequest.field("no name", ": z"),
    RefusedRequest.field("no colon", "XYZ"),
    RefusedRequest.field("101 fields", Array(repeating: "X: y", count: 100).joined(separator: "\r\n"), 431),
    RefusedRequest.field("fields beyond the limit", "X: " + String(repeating: "y", count: 32 * 1024), 431),
    RefusedRequest.field(
      "many fields beyond the limit",
      Array(repeating: "X: " + String(repeating: "y", count: 1000), count: 40).joined(separator: "\r\n"),
      431
    ),
    RefusedRequest.field("an unknown expectation", "Expect: 200-ok", 417),
    RefusedRequest.field("a second expectation", "Expect: 100-continue, x", 417),
  ]

  static let lines = [
    RefusedRequest("HTTP/0.9", "GET /\r\n"),
    RefusedRequest("HTTP/0.9 with a space", "GET / \r\n"),
    RefusedRequest("HTTP/1.2", "GET / HTTP/1.2\r\n", 505),
    RefusedRequest("HTTP/2.0", "GET / HTTP/2.0\r\n", 505),
    RefusedRequest("HTTP/0.9 by its name", "GET / HTTP/0.9\r\n", 505),
    RefusedRequest("almost the HTTP/2 preface", "PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n", 505),
    RefusedRequest("a version in small letters", "GET / http/1.1\r\n"),
    RefusedRequest("a version with more digits", "GET / HTTP/1.10\r\n"),
    RefusedRequest("another protocol", "GET / SIP/2.0\r\n"),
    RefusedRequest("garbage", "hello there\r\n"),
    RefusedRequest("garbage that ends with LF", "hello\n"),
    RefusedRequest("a TLS hello", bytes: [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03, 0x03]),
    RefusedRequest("two empty lines", "\r\n\r\nGET / HTTP/1.1\r\n"),
    RefusedRequest("two spaces", "GET  / HTTP/1.1\r\n"),
    RefusedRequest("a trailing space", "GET / HTTP/1.1 \r\n"),
    RefusedRequest("a leading space", " GET / HTTP/1.1\r\n"),
    RefusedRequest("a tab for a space", "GET\t/ HTTP/1.1\r\n"),
    RefusedRequest("no method", " / HTTP/1.1\r\n"),
    RefusedRequest("a method that is no token", "G(T / HTTP/1.1\r\n"),
    RefusedRequest("an unknown method", "BREW / HTTP/1.1\r\n", 501),
    RefusedRequest("a method in small letters", "get / HTTP/1.1\r\n", 501),
    RefusedRequest("CONNECT", "CONNECT a:443 HTTP/1.1\r\n", 501),
    RefusedRequest("a long method", String(repeating: "A", count: 1000) + " / HTTP/1.1\r\n", 501),
    RefusedRequest(
      "a request line of 8001 bytes",
      "GET /" + String(repeating: "a", count: 8001 - 14) + " HTTP/1.1\r\n",
      414
    ),
    RefusedRequest("a request line without an end", String(repeating: "a", count: 20_000), 414),
    RefusedRequest("* for GET", "GET * HTTP/1.1\r\n"),
    RefusedRequest("a NUL in the target", "GET /\0 HTTP/1.1\r\n"),
    RefusedRequest("a letter beyond ASCII in the target", "GET /é HTTP/1.1\r\n"),
    RefusedRequest("a fragment", "GET /#x HTTP/1.1\r\n"),
  ]
}
