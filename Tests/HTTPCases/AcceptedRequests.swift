/// What a server must understand, and as which requests: "METHOD target +bytes of content", or "100" where the client
/// waits for it.
package struct AcceptedRequests: Sendable, CustomStringConvertible {
  package let name: String
  package let input: String
  package let outcomes: [String]
  package var description: String { name }

  package static let all = [
    AcceptedRequests(
      name: "a plain GET",
      input: "GET /v1 HTTP/1.1\r\nHost: a\r\n\r\n",
      outcomes: ["GET /v1 +0"]
    ),
    AcceptedRequests(name: "HEAD", input: "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", outcomes: ["HEAD / +0"]),
    AcceptedRequests(
      name: "OPTIONS *",
      input: "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
      outcomes: ["OPTIONS * +0"]
    ),
    AcceptedRequests(name: "HTTP/1.0 without Host", input: "GET / HTTP/1.0\r\n\r\n", outcomes: ["GET / +0"]),
    AcceptedRequests(
      name: "absolute-form",
      input: "GET http://b:80/x?y HTTP/1.1\r\nHost: a\r\n\r\n",
      outcomes: ["GET http://b:80/x?y +0"]
    ),
    AcceptedRequests(
      name: "a body by its length",
      input: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
      outcomes: ["POST / +5"]
    ),
    AcceptedRequests(
      name: "a body of length zero",
      input: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
      outcomes: ["POST / +0"]
    ),
    AcceptedRequests(
      name: "a chunked body",
      input:
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n",
      outcomes: ["POST / +15"]
    ),
    AcceptedRequests(
      name: "chunk extensions and leading zeros",
      input: "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        + "005;name=value;other=\"x y\"\r\nhello\r\n000;x\r\n\r\n",
      outcomes: ["POST / +5"]
    ),
    AcceptedRequests(
      name: "trailers",
      input: "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        + "1\r\nx\r\n0\r\nHost: evil\r\nContent-Length: 99\r\nAuthorization: Basic x\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
      outcomes: ["POST / +1", "GET / +0"]
    ),
    AcceptedRequests(
      name: "pipelined requests",
      input:
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nabGET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
      outcomes: ["GET /1 +0", "POST /2 +2", "GET /3 +0"]
    ),
    AcceptedRequests(
      name: "one empty line before a request",
      input: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
      outcomes: ["POST / +1", "GET / +0"]
    ),
    AcceptedRequests(
      name: "Expect with content",
      input: "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\nx",
      outcomes: ["100", "PUT / +1"]
    ),
    AcceptedRequests(
      name: "Expect without content",
      input: "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
      outcomes: ["GET / +0"]
    ),
    AcceptedRequests(
      name: "Expect of HTTP/1.0 is ignored",
      input: "PUT / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
      outcomes: ["PUT / +1"]
    ),
    AcceptedRequests(name: "an unfinished head", input: "GET / HTTP/1.1\r\nHost: a\r\n", outcomes: []),
    AcceptedRequests(
      name: "an unfinished body",
      input: "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx",
      outcomes: []
    ),
    AcceptedRequests(
      name: "obs-text and tabs in a value",
      input: "GET / HTTP/1.1\r\nHost: a\r\nX: \t é\t x\t\r\n\r\n",
      outcomes: ["GET / +0"]
    ),
    AcceptedRequests(
      name: "an IPv6 Host",
      input: "GET / HTTP/1.1\r\nhost:[::1]:8080\r\n\r\n",
      outcomes: ["GET / +0"]
    ),
    AcceptedRequests(
      name: "a Host with an empty port",
      input: "GET / HTTP/1.1\r\nHost: a:\r\n\r\n",
      outcomes: ["GET / +0"]
    ),
    AcceptedRequests(
      name: "a request line of 8000 bytes",
      input: "GET /" + String(repeating: "a", count: 8000 - 14) + " HTTP/1.1\r\nHost: a\r\n\r\n",
      outcomes: ["GET /" + String(repeating: "a", count: 8000 - 14) + " +0"]
    ),
    AcceptedRequests(
      name: "100 fields",
      input: "GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "X: y\r\n", count: 99) + "\r\n",
      outcomes: ["GET / +0"]
    ),
    AcceptedRequests(
      name: "fields up to the limit",
      input: "GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "y", count: 32_768 - 14) + "\r\n\r\n",
      outcomes: ["GET / +0"]
    ),
  ]
}
