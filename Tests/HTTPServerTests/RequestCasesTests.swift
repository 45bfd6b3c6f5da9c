import HTTP
import HTTPCases
import HTTPServer
import Testing

/// What the parser's tests feed to it in memory, here over a socket, with what the connection then does.
@Suite("over a socket")
struct RequestCasesTests {
  /// How the bytes of a request go out.
  enum Cutting: CustomStringConvertible {
    case whole
    case single
    case at(Int)

    var description: String {
      switch self {
      case .whole: "whole"
      case .single: "byte by byte"
      case .at(let place): "split at \(place)"
      }
    }

    func send(_ bytes: [UInt8], to client: TestClient) throws {
      switch self {
      case .whole: try client.send(bytes)
      case .single: for byte in bytes { try client.send([byte]) }
      case .at(let place):
        try client.send(Array(bytes[..<place]))
        try client.send(Array(bytes[place...]))
      }
    }

    /// All ways that make sense for so many bytes; at every byte only where asked.
    static func all(_ count: Int, everywhere: Bool) -> [Cutting] {
      let places = everywhere && count < 400 ? (1..<count).map(Cutting.at) : []
      return [.whole] + (count < 400 ? [.single] : []) + places
    }
  }

  /// One of each kind is also split at each of its bytes; the parser's own tests do it for all.
  static let everywhere: Set<String> = [
    "Host twice", "Content-Length and Transfer-Encoding", "Content-Length: +5", "chunked twice",
    "a chunk size of 2⁶⁴", "a bare LF after the data", "a space before the colon", "a folded line",
    "a bare CR",
    "a TLS hello", "HTTP/2.0", "target /%2e%2e%2fx", "a chunked body", "trailers", "pipelined requests",
    "Expect with content",
  ]

  @Test(
    "what is malformed gets one answer with its status, and the connection closes",
    arguments: RefusedRequest.all
  )
  func refused(_ example: RefusedRequest) throws {
    let server = try TestServer()
    let behind = Array("GET /behind HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
    for cutting in Cutting.all(example.bytes.count, everywhere: Self.everywhere.contains(example.name)) {
      let client = try server.client()
      // The server may answer and close before the last byte is sent: that is no failure.
      try? cutting.send(example.bytes + behind, to: client)
      let answer = try client.answer()
      #expect(answer.status == example.status, "\(cutting)")
      #expect(answer.fields["connection"] == "close", "\(cutting)")
      #expect(answer.fields["content-type"] == "application/problem+json")
      #expect(try client.isClosed(), "one answer and no more, \(cutting)")
    }
    #expect(server.record.handled.isEmpty)
  }

  @Test("what is well-formed is answered in its order", arguments: AcceptedRequests.all)
  func accepted(_ example: AcceptedRequests) throws {
    let server = try TestServer()
    let bytes = Array(example.input.utf8)
    for cutting in Cutting.all(bytes.count, everywhere: Self.everywhere.contains(example.name)) {
      let client = try server.client()
      try cutting.send(bytes, to: client)
      for outcome in example.outcomes {
        let words = outcome.split(separator: " ")
        let answer = try client.answer(toHead: words[0] == "HEAD" || outcome == "100")
        #expect(answer.status == (outcome == "100" ? 100 : 200), "\(cutting)")
        if words[0] != "HEAD", outcome != "100" { #expect(answer.body == words[1], "\(cutting)") }
      }
    }
  }
}
