/// A request of HTTP/2 that a server must refuse, without an end to the connection.
package struct RefusedStream: Sendable, CustomStringConvertible {
  package let description: String
  /// The status of the response, or the error code of the reset.
  package let code: Int
  package let fields: [(String, String)]

  init(_ description: String, _ code: Int, _ fields: [(String, String)]) {
    self.description = description
    self.code = code
    self.fields = fields
  }

  private static func get(
    _ path: String = "/",
    without: String = "",
    _ more: [(String, String)] = []
  ) -> [(String, String)] {
    FrameWriter.request("GET", path).filter { $0.0 != without } + more
  }

  /// Those that a status is answered to; the connection goes on.
  package static let answered: [RefusedStream] = [
    RefusedStream("dot segments", 400, get("/a/../b")),
    RefusedStream("an encoded slash", 400, get("/a%2fb")),
    RefusedStream("NUL in the path", 400, get("/%00")),
    RefusedStream("a fragment", 400, get("/a#b")),
    RefusedStream("overlong UTF-8", 400, get("/%C0%AF")),
    RefusedStream(
      "another scheme",
      400,
      [(":method", "GET"), (":scheme", "ftp"), (":authority", "a"), (":path", "/")]
    ),
    RefusedStream(
      "an invalid authority",
      400,
      [(":method", "GET"), (":scheme", "http"), (":authority", "a@b"), (":path", "/")]
    ),
    RefusedStream("Host that is not the authority", 400, get("/", [("host", "other")])),
    RefusedStream(
      "an unknown method",
      501,
      [(":method", "BREW"), (":scheme", "http"), (":authority", "a"), (":path", "/")]
    ),
    RefusedStream("an expectation that cannot be met", 417, get("/", [("expect", "tea")])),
    RefusedStream("a long path", 414, get("/" + String(repeating: "a", count: 8000))),
    RefusedStream("too many fields", 431, get("/", (0..<101).map { ("x\($0)", "y") })),
    RefusedStream(
      "too large fields",
      431,
      get("/", (0..<9).map { ("x\($0)", String(repeating: "y", count: 4600)) })
    ),
  ]

  /// Those whose stream is reset, with this code; the connection goes on.
  package static let reset: [RefusedStream] = [
    RefusedStream("a connection-specific field", 1, get("/", [("connection", "close")])),
    RefusedStream("Transfer-Encoding", 1, get("/", [("transfer-encoding", "chunked")])),
    RefusedStream("TE other than trailers", 1, get("/", [("te", "gzip")])),
    RefusedStream("CRLF in a value", 1, get("/", [("x", "a\r\nb: c")])),
    RefusedStream("NUL in a value", 1, get("/", [("x", "a\0b")])),
    RefusedStream("a capital letter in a name", 1, get("/", [("Name", "a")])),
    RefusedStream("a name that is no token", 1, get("/", [("na me", "a")])),
    RefusedStream("no path", 1, get("/", without: ":path")),
    RefusedStream("no method", 1, get("/", without: ":method")),
    RefusedStream("no scheme", 1, get("/", without: ":scheme")),
    RefusedStream("an empty path", 1, get("")),
    RefusedStream("a path without a slash", 1, get("a")),
    RefusedStream("an absolute URI as path", 1, get("http://a/")),
    RefusedStream("* for another method than OPTIONS", 1, get("*")),
    RefusedStream("two Hosts", 1, get("/", without: ":authority", [("host", "a"), ("host", "a")])),
    RefusedStream("two paths", 1, get("/", [(":path", "/")])),
    RefusedStream("a pseudo-field after others", 1, [("a", "b")] + get("/")),
    RefusedStream("an unknown pseudo-field", 1, [(":x", "b")] + get("/")),
    RefusedStream("a response's pseudo-field", 1, [(":status", "200")] + get("/")),
    RefusedStream("Content-Length without content", 1, get("/", [("content-length", "5")])),
    RefusedStream("Content-Length that is no number", 1, get("/", [("content-length", "+5")])),
    RefusedStream("two Content-Lengths", 1, get("/", [("content-length", "0"), ("content-length", "0")])),
  ]
}
