import Foundation
import Glibc

/// Asks an HTTP/1.1 server on the loopback interface; one connection for each question, as plain as can be, so that
/// a test sees what was sent byte for byte.
public struct HTTPClient: Sendable {
  /// What came back.
  public struct Answer: Sendable {
    /// The status code.
    public var status: Int
    /// Names in lower case.
    public var fields: [String: String]
    /// What follows the head.
    public var body: [UInt8]

    /// The body as text.
    public var text: String { String(decoding: body, as: UTF8.self) }

    /// The body as a JSON object.
    public func json() throws -> [String: Any] {
      guard let object = try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any] else {
        throw TestSupportError("no JSON object: \(text.prefix(500))")
      }
      return object
    }
  }

  /// The port on 127.0.0.1.
  public let port: UInt16

  /// A client of the server on that port.
  public init(port: UInt16) {
    self.port = port
  }

  /// Asks by GET.
  public func get(_ target: String, within limit: Duration = .seconds(30)) throws -> Answer {
    try request("GET", target, within: limit)
  }

  /// Asks once, and closes the connection.
  public func request(
    _ method: String,
    _ target: String,
    fields: [(String, String)] = [],
    within limit: Duration = .seconds(30)
  ) throws -> Answer {
    let lines =
      ["\(method) \(target) HTTP/1.1", "Host: 127.0.0.1:\(port)", "Connection: close"]
      + fields.map { "\($0.0): \($0.1)" }
    return try Self.parse(exchange((lines + ["", ""]).joined(separator: "\r\n"), within: limit))
  }

  /// Sends the text and reads until the server closes the connection.
  public func exchange(_ text: String, within limit: Duration = .seconds(30)) throws -> [UInt8] {
    let descriptor = try connect(within: limit)
    defer { close(descriptor) }
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let sent = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard sent > 0 else { throw TestSupportError("send: \(String(cString: strerror(errno)))") }
      rest = rest.dropFirst(sent)
    }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      guard count >= 0 else {
        throw TestSupportError("no answer on port \(port): \(String(cString: strerror(errno)))")
      }
      if count == 0 { return bytes }
      bytes += buffer[..<count]
    }
  }

  /// A connection that says nothing; the caller closes the descriptor.
  public func idleConnection() throws -> Int32 { try connect(within: .seconds(30)) }

  private func connect(within limit: Duration) throws -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var time = timeval(tv_sec: Int(limit.components.seconds), tv_usec: 0)
    let size = socklen_t(MemoryLayout<timeval>.size)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] { setsockopt(descriptor, SOL_SOCKET, option, &time, size) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard code == 0 else {
      close(descriptor)
      throw TestSupportError("cannot connect to port \(port): \(String(cString: strerror(errno)))")
    }
    return descriptor
  }

  /// The whole of one response, whose length must be what it says.
  static func parse(_ bytes: [UInt8]) throws -> Answer {
    let end = Array("\r\n\r\n".utf8)
    guard let head = bytes.firstRange(of: end) else {
      throw TestSupportError("no head in \(String(decoding: bytes.prefix(500), as: UTF8.self))")
    }
    let lines = String(decoding: bytes[..<head.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
    let words = lines[0].split(separator: " ", maxSplits: 2)
    guard words.count >= 2, words[0] == "HTTP/1.1", let status = Int(words[1]) else {
      throw TestSupportError("no status line: \(lines[0])")
    }
    var fields: [String: String] = [:]
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { throw TestSupportError("no field: \(line)") }
      let name = line[..<colon].lowercased()
      guard fields[name] == nil else { throw TestSupportError("the field \(name) is there twice") }
      fields[name] = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
    }
    let body = Array(bytes[head.upperBound...])
    if let length = fields["content-length"], !body.isEmpty, length != "\(body.count)" {
      throw TestSupportError("Content-Length is \(length), the body has \(body.count) bytes")
    }
    return Answer(status: status, fields: fields, body: body)
  }
}
