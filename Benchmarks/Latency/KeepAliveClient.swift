import Foundation
import Glibc

/// One HTTP/1.1 connection that is kept: a question costs one write and one read.
struct KeepAliveClient: ~Copyable {
  private let descriptor: Int32
  private var buffer = [UInt8](repeating: 0, count: 1 << 16)
  private var unread: [UInt8] = []

  init(port: UInt16) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard code == 0 else { throw ClientError("connect", errno) }
    var yes: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
    var time = timeval(tv_sec: 30, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close(descriptor) }

  /// Asks for a stream of events, which `nextEvent` then reads.
  mutating func follow(_ target: String) throws {
    let question = Array("GET \(target) HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".utf8)
    guard send(descriptor, question, question.count, Int32(MSG_NOSIGNAL)) == question.count else {
      throw ClientError("send", errno)
    }
  }

  /// What came up to the next end of an event, with the chunks' framing in it.
  mutating func nextEvent() throws -> String {
    let end = Array("\n\n".utf8)
    while true {
      if let found = unread.firstRange(of: end) {
        defer { unread.removeSubrange(..<found.upperBound) }
        return String(decoding: unread[..<found.lowerBound], as: UTF8.self)
      }
      let count = recv(descriptor, &buffer, buffer.count, 0)
      guard count > 0 else {
        throw ClientError(count == 0 ? "the server closed the connection" : "recv", errno)
      }
      unread += buffer[..<count]
    }
  }

  /// Asks, and waits for the whole response, whatever its status.
  /// - Returns: the body.
  mutating func get(_ target: String) throws -> String {
    let question = Array("GET \(target) HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".utf8)
    guard send(descriptor, question, question.count, Int32(MSG_NOSIGNAL)) == question.count else {
      throw ClientError("send", errno)
    }
    var answer: [UInt8] = []
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      guard count > 0 else {
        throw ClientError(count == 0 ? "the server closed the connection" : "recv", errno)
      }
      answer += buffer[..<count]
      if let body = Self.body(of: answer) { return body }
    }
  }

  private static func body(of answer: [UInt8]) -> String? {
    guard let head = answer.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
    let text = String(decoding: answer[..<head.lowerBound], as: UTF8.self).lowercased()
    guard let name = text.range(of: "content-length: "),
      let length = Int(text[name.upperBound...].prefix { $0.isNumber }),
      answer.count >= head.upperBound + length
    else { return nil }
    return String(decoding: answer[head.upperBound...], as: UTF8.self)
  }
}

/// A connection that does not work.
struct ClientError: Error, CustomStringConvertible {
  var description: String

  init(_ what: String, _ code: Int32) { description = "\(what): \(String(cString: strerror(code)))" }
}
