import HTTP
import HTTPCases
import HTTPServer
import Testing

@Suite("content that a request brings")
struct ServerContentTests {
  static let contents = [
    "Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "Content-Length: 1000000\r\n\r\nand so on", "Transfer-Encoding: chunked\r\n\r\nno chunk at all",
    "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
  ]

  @Test(
    "where none is taken: the head is answered, nothing is read, and the connection closes",
    arguments: contents
  )
  func unread(_ content: String) throws {
    let server = try TestServer()
    let client = try server.client()
    try client.send("POST /no-content HTTP/1.1\r\nHost: test\r\n\(content)")
    let answer = try client.answer()
    #expect(answer.status == 200 && answer.body == "/no-content")
    #expect(answer.fields["connection"] == "close")
    try? client.send("GET /behind HTTP/1.1\r\nHost: test\r\n\r\n")
    #expect(try client.isClosed())
    #expect(server.record.handled == ["/no-content"])
  }

  @Test("of length zero is no content")
  func empty() throws {
    let server = try TestServer()
    let client = try server.client()
    for path in ["/no-content", "/echo"] {
      try client.send("POST \(path) HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n")
      #expect(try client.answer().fields["connection"] == nil)
    }
  }

  @Test("in chunks with extensions and trailers is put together, however it is cut")
  func chunked() throws {
    let server = try TestServer()
    let client = try server.client()
    let head = "POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
    let body =
      "4;a=b\r\nWiki\r\n5\r\npedia\r\nE;x=\"y\"\r\n in\r\n\r\nchunks.\r\n0;z\r\nTrailer: x\r\nHost: other\r\n\r\n"
    let bytes = Array((head + body).utf8)
    for cutting in Cutting.all(bytes.count, everywhere: true) {
      try cutting.send(bytes, to: client, of: server)
      #expect(try client.answer().body == "Wikipedia in\r\n\r\nchunks.", "\(cutting)")
    }
  }

  @Test("has no trailers that a handler could take for header fields")
  func trailers() throws {
    let server = try TestServer()
    let client = try server.client()
    try client.send(
      "POST /fields HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
        + "1\r\nx\r\n0\r\nHost: evil\r\nAuthorization: Bearer x\r\nContent-Length: 9\r\nX: y\r\n\r\n"
    )
    #expect(try client.answer().body == "host: test\ntransfer-encoding: chunked")
    try client.get("/fields")
    #expect(try client.answer().body == "host: test")

    let http2 = try HTTP2Client(server.address)
    var writer = FrameWriter.opened()
    writer.headers(FrameWriter.request("POST", "/fields"), stream: 1, ends: false)
    writer.data([1], stream: 1)
    writer.headers([("authorization", "Bearer x"), ("x", "y")], stream: 1)
    try http2.send(writer.bytes)
    #expect(http2.reads { $0.content[1] == Array("host: test".utf8) })
  }

  @Test("beyond the limit is refused before it is asked for", arguments: ["", "Expect: 100-continue\r\n"])
  func tooLarge(_ field: String) throws {
    let server = try TestServer { $0.request.bodyBytes = 10 }
    let client = try server.client()
    try client.send("POST /echo HTTP/1.1\r\nHost: test\r\n\(field)Content-Length: 11\r\n\r\n")
    #expect(try client.answer().status == 413)
    #expect(try client.isClosed())
    let other = try server.client()
    try other.send(
      "POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n5\r\n"
    )
    #expect(try other.answer().status == 413)
    #expect(try other.isClosed())
  }
}
