import Glibc
import Threading
import Sockets
import Testing

struct ClientError: Error {
  let call: String
  let code: Int32
}

/// A blocking client: it sends exactly the bytes that a test passes. Reads give up after five seconds.
final class TestClient {
  struct Answer: Equatable {
    var status: Int
    var fields: [String: String]
    var body: String
  }

  private(set) var descriptor: Int32
  private var buffer: [UInt8] = []

  /// - Parameter host: the last byte of an own address, 127.0.0.x.
  init(_ address: SocketAddress, receiveBuffer: Int32? = nil, from host: UInt8? = nil) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw ClientError(call: "socket", code: errno) }
    if var size = receiveBuffer { setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, 4) }
    var deadline = timeval(tv_sec: 5, tv_usec: 0)
    var one: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &deadline, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &deadline, socklen_t(MemoryLayout<timeval>.size))
    var system = sockaddr_in()
    system.sin_family = sa_family_t(AF_INET)
    system.sin_port = address.port.bigEndian
    system.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    if let host {
      var own = sockaddr_in()
      own.sin_family = sa_family_t(AF_INET)
      own.sin_addr.s_addr = (UInt32(0x7F00_0000) | UInt32(host)).bigEndian
      let result = withUnsafeBytes(of: own) {
        bind(descriptor, $0.assumingMemoryBound(to: sockaddr.self).baseAddress, socklen_t($0.count))
      }
      guard result == 0 else { throw ClientError(call: "bind", code: errno) }
    }
    let result = withUnsafeBytes(of: system) {
      connect(descriptor, $0.assumingMemoryBound(to: sockaddr.self).baseAddress, socklen_t($0.count))
    }
    guard result == 0 else { throw ClientError(call: "connect", code: errno) }
  }

  deinit { close() }

  func close() {
    if descriptor >= 0 { Glibc.close(descriptor) }
    descriptor = -1
  }

  /// Closes with a reset.
  func reset() {
    var linger = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
    close()
  }

  func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  func send(_ text: String) throws { try send(Array(text.utf8)) }

  func send(_ bytes: [UInt8]) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw ClientError(call: "send", code: errno) }
      rest = rest.dropFirst(count)
    }
  }

  func get(_ path: String, _ fields: String = "") throws {
    try send("GET \(path) HTTP/1.1\r\nHost: test\r\n\(fields)\r\n")
  }

  /// The next response. Throws at the end of the connection.
  func answer(toHead: Bool = false) throws -> Answer {
    var answer = try head()
    if toHead { return answer }
    if answer.fields["transfer-encoding"] == "chunked" {
      while let chunk = try chunk() { answer.body += chunk }
    } else {
      answer.body = try take(Int(answer.fields["content-length"] ?? "0") ?? 0)
    }
    return answer
  }

  /// The next response's head alone.
  func head() throws -> Answer {
    while true {
      if let end = buffer.firstRange(of: Array("\r\n\r\n".utf8)) {
        let head = String(decoding: buffer[..<end.lowerBound], as: UTF8.self)
        var lines = head.split(separator: "\r\n").map(String.init)
        let status = Int(lines.removeFirst().split(separator: " ")[1]) ?? 0
        var fields: [String: String] = [:]
        for line in lines {
          let colon = line.firstIndex(of: ":") ?? line.endIndex
          fields[line[..<colon].lowercased()] = String(line[colon...].dropFirst(2))
        }
        buffer.removeSubrange(..<end.upperBound)
        return Answer(status: status, fields: fields, body: "")
      }
      try receive()
    }
  }

  /// The next chunk of a response; nil: it was the last one.
  func chunk() throws -> String? {
    while true {
      if let end = buffer.firstRange(of: Array("\r\n".utf8)) {
        let text = String(decoding: buffer[..<end.lowerBound], as: UTF8.self)
        guard let size = Int(text, radix: 16) else { throw ClientError(call: "chunk \(text)", code: 0) }
        _ = try take(end.upperBound)
        let chunk = try take(size)
        guard try take(2) == "\r\n" else { throw ClientError(call: "chunk's end", code: 0) }
        return size == 0 ? nil : chunk
      }
      try receive()
    }
  }

  /// All until the connection ends in order.
  func rest() throws -> String {
    do {
      while true { try receive() }
    } catch let error as ClientError where error.code == 0 {
      return try take(buffer.count)
    }
  }

  private func take(_ count: Int) throws -> String {
    while buffer.count < count { try receive() }
    defer { buffer.removeSubrange(..<count) }
    return String(decoding: buffer[..<count], as: UTF8.self)
  }

  /// Whether the server has ended its side, or the connection.
  var hasEnded: Bool {
    let remoteHangUp: Int16 = 0x2000  // POLLRDHUP, which Glibc's module leaves out.
    var event = pollfd(fd: descriptor, events: remoteHangUp, revents: 0)
    return poll(&event, 1, 0) > 0
  }

  /// Whether the server closes now, without another byte. A reset counts.
  func isClosed() throws -> Bool {
    do {
      guard buffer.isEmpty else { return false }
      try receive()
      return false
    } catch let error as ClientError {
      if error.code == EAGAIN { return false }
      return true
    }
  }

  /// Some bytes; none when none came in time, nil at the end of the connection.
  func receiveSome() -> [UInt8]? {
    do {
      if buffer.isEmpty { try receive() }
    } catch {
      return (error as? ClientError)?.code == EAGAIN ? [] : nil
    }
    defer { buffer = [] }
    return buffer
  }

  /// Reads so much at most, if anything is there, and forgets it.
  func readSome(_ count: Int) {
    var piece = [UInt8](repeating: 0, count: count)
    _ = recv(descriptor, &piece, count, Int32(MSG_DONTWAIT))
  }

  private func receive() throws {
    var piece = [UInt8](repeating: 0, count: 65_536)
    let count = recv(descriptor, &piece, piece.count, 0)
    guard count > 0 else { throw ClientError(call: "recv", code: count == 0 ? 0 : errno) }
    buffer += piece[..<count]
  }
}
