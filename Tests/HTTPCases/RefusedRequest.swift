/// A request that a server must refuse, and with which status.
package struct RefusedRequest: Sendable, CustomStringConvertible {
  package let name: String
  package let bytes: [UInt8]
  package let status: Int
  package var description: String { name }

  init(_ name: String, _ text: String, _ status: Int = 400) {
    self.init(name, bytes: Array(text.utf8), status)
  }

  init(_ name: String, bytes: [UInt8], _ status: Int = 400) {
    self.name = name
    self.bytes = bytes
    self.status = status
  }

  static func field(_ name: String, _ line: String, _ status: Int = 400) -> RefusedRequest {
    RefusedRequest(name, "POST / HTTP/1.1\r\nHost: a\r\n\(line)\r\n\r\n", status)
  }

  static func chunk(_ name: String, _ content: String, _ status: Int = 400) -> RefusedRequest {
    RefusedRequest(name, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\(content)", status)
  }

  package static let all = hosts + lengths + codings + chunks + fields + lines + targets

  static let targets = RefusedTarget.all.filter { !$0.isEmpty }.map {
    RefusedRequest("target \($0)", "GET \($0) HTTP/1.1\r\nHost: a\r\n\r\n")
  }
}
