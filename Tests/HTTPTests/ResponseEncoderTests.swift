import HTTP
import Testing

@Suite("the response encoder")
struct ResponseEncoderTests {
  private func encode(
    _ response: Response,
    method: Method? = .get,
    version: Version = .http1_1,
    persists: Bool = true
  ) -> String {
    var bytes: [UInt8] = []
    ResponseEncoder(second: 784_111_777)
      .append(response, .init(method: method, version: version, persists: persists), to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test("writes status, Date, fields, length and body")
  func whole() {
    #expect(
      encode(Response(status: .ok, fields: ["X-Y": "z"], text: "hello"))
        == "HTTP/1.1 200 OK\r\nX-Y: z\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n"
        + "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\nhello"
    )
  }

  @Test("counts the body of a response to HEAD, and does not send it")
  func head() {
    let text = encode(Response(status: .ok, body: Array("hello".utf8)), method: .head)
    #expect(text.contains("\r\nContent-Length: 5\r\n") && text.hasSuffix("GMT\r\n\r\n"))
  }

  @Test("gives no length to a status without content", arguments: [Status.noContent, .notModified])
  func withoutContent(_ status: Status) {
    let text = encode(Response(status: status, fields: ["ETag": "x"], body: [1, 2, 3]))
    #expect(!text.contains("Content-Length") && text.contains("\r\nETag: x\r\nDate: "))
  }

  @Test("is alone in saying how the message is framed")
  func framing() {
    let fields: Fields = [
      "content-length": "99", "Transfer-Encoding": "chunked", "connection": "close", "date": "x", "Keep": "y",
    ]
    let text = encode(Response(status: .ok, fields: fields, body: [65]))
    #expect(
      text.contains("200 OK\r\nKeep: y\r\nContent-Length: 1\r\nDate: ") && text.hasSuffix("GMT\r\n\r\nA")
    )
    #expect(Response(status: .ok, fields: fields).closesConnection)
    #expect(!Response(status: .ok, fields: ["Connection": "x"]).closesConnection)
  }

  @Test("says what becomes of the connection")
  func connection() {
    let response = Response(status: .notFound)
    #expect(!encode(response).contains("Connection"))
    #expect(encode(response, persists: false).contains("\r\nConnection: close\r\n"))
    #expect(encode(response, version: .http1_0).contains("\r\nConnection: keep-alive\r\n"))
    #expect(encode(response, version: .http1_0, persists: false).contains("\r\nConnection: close\r\n"))
  }

  @Test("sends a prepared head as it would send another, until the response is changed")
  func prepared() {
    for fields: Fields in [["A": "b"], ["Connection": "close", "Content-Length": "9"]] {
      for status in [Status.ok, .notModified] {
        let plain = Response(status: status, fields: fields, body: [65])
        var response = plain.prepared()
        for method in [Method.get, .head] {
          for version in [Version.http1_0, .http1_1] {
            #expect(
              encode(response, method: method, version: version)
                == encode(plain, method: method, version: version)
            )
          }
        }
        #expect(response == plain && response.closesConnection == plain.closesConnection)
        response.fields.append("X", "new")
        response.body += [66]
        #expect(encode(response).contains("X: new") && encode(response) != encode(plain))
      }
    }
  }

  @Test("knows words for every status it has a name for, and copes without")
  func reasons() {
    #expect(Status.contentTooLarge.description == "413 Content Too Large")
    #expect(encode(Response(status: Status(rawValue: 599))).hasPrefix("HTTP/1.1 599 \r\n"))
  }

  @Test(
    "writes dates as RFC 9110 §5.6.7 says",
    arguments: [
      (0, "Thu, 01 Jan 1970 00:00:00"), (951_782_400, "Tue, 29 Feb 2000 00:00:00"),
      (1_709_251_199, "Thu, 29 Feb 2024 23:59:59"), (4_107_542_400, "Mon, 01 Mar 2100 00:00:00"),
      (1_735_689_599, "Tue, 31 Dec 2024 23:59:59"), (-5, "Thu, 01 Jan 1970 00:00:00"),
      (Int64.max, "Fri, 31 Dec 9999 23:59:59"),
    ]
  )
  func dates(_ second: Int64, _ text: String) {
    var date = DateField(second: 1)
    date.update(second: second)
    #expect(String(decoding: date.line, as: UTF8.self) == "Date: \(text) GMT\r\n")
  }
}
