import Glibc

/// An IPv4 or IPv6 address with a port.
public struct SocketAddress: Sendable, Hashable {
  /// The address's bytes in network order: 4 for IPv4, 16 for IPv6.
  public let host: [UInt8]
  /// The port; 0 lets the kernel choose one when bound.
  public var port: UInt16
  private let scope: UInt32

  /// An address from its bytes, 4 or 16 of them.
  public init(host: [UInt8], port: UInt16) {
    precondition(host.count == 4 || host.count == 16, "an address has 4 or 16 bytes")
    self.host = host
    self.port = port
    scope = 0
  }

  /// Reads `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080` (127.0.0.1), `*:8080` or `:8080` (every IPv4 address);
  /// nil for anything else. Names are not looked up: what a server listens on is not for DNS to say.
  public init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let digits = text[text.index(after: colon)...]
    guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits)
    else {
      return nil
    }
    var name = String(text[..<colon])
    if name.hasPrefix("["), name.hasSuffix("]") {
      var address = in6_addr()
      guard inet_pton(AF_INET6, String(name.dropFirst().dropLast()), &address) == 1 else { return nil }
      self.init(host: withUnsafeBytes(of: address) { Array($0) }, port: port)
    } else {
      if name.isEmpty || name == "*" { name = "0.0.0.0" }
      if name == "localhost" { name = "127.0.0.1" }
      var address = in_addr()
      guard inet_pton(AF_INET, name, &address) == 1 else { return nil }
      self.init(host: withUnsafeBytes(of: address) { Array($0) }, port: port)
    }
  }

  /// This machine alone, over IPv4.
  public static func loopback(port: UInt16 = 0) -> SocketAddress {
    SocketAddress(host: [127, 0, 0, 1], port: port)
  }

  /// Whether only this machine can reach it: 127.0.0.0/8 or ::1.
  public var isLoopback: Bool {
    host.count == 4 ? host[0] == 127 : host.dropLast().allSatisfy { $0 == 0 } && host.last == 1
  }

  /// The address that the kernel filled in; nil for another family.
  init?(_ storage: sockaddr_storage) {
    switch Int32(storage.ss_family) {
    case AF_INET:
      let address = withUnsafeBytes(of: storage) { $0.load(as: sockaddr_in.self) }
      host = withUnsafeBytes(of: address.sin_addr) { Array($0) }
      port = UInt16(bigEndian: address.sin_port)
      scope = 0
    case AF_INET6:
      let address = withUnsafeBytes(of: storage) { $0.load(as: sockaddr_in6.self) }
      host = withUnsafeBytes(of: address.sin6_addr) { Array($0) }
      port = UInt16(bigEndian: address.sin6_port)
      scope = address.sin6_scope_id
    default: return nil
    }
  }

  var isIPv6: Bool { host.count == 16 }

  /// The form that the system calls take.
  func withSystemAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    var storage = sockaddr_storage()
    return withUnsafeMutableBytes(of: &storage) { bytes in
      let length: Int
      if isIPv6 {
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        address.sin6_scope_id = scope
        withUnsafeMutableBytes(of: &address.sin6_addr) { $0.copyBytes(from: host) }
        bytes.storeBytes(of: address, as: sockaddr_in6.self)
        length = MemoryLayout<sockaddr_in6>.size
      } else {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        withUnsafeMutableBytes(of: &address.sin_addr) { $0.copyBytes(from: host) }
        bytes.storeBytes(of: address, as: sockaddr_in.self)
        length = MemoryLayout<sockaddr_in>.size
      }
      guard let start = bytes.baseAddress else { preconditionFailure("a sockaddr_storage has bytes") }
      return body(start.assumingMemoryBound(to: sockaddr.self), socklen_t(length))
    }
  }
}

extension SocketAddress: CustomStringConvertible {
  /// `127.0.0.1:8080` or `[::1]:8080`.
  public var description: String {
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    _ = inet_ntop(isIPv6 ? AF_INET6 : AF_INET, host, &text, socklen_t(text.count))
    let end = text.firstIndex(of: 0) ?? text.endIndex
    let name = String(decoding: text[..<end].map(UInt8.init(bitPattern:)), as: UTF8.self)
    return isIPv6 ? "[\(name)]:\(port)" : "\(name):\(port)"
  }
}
