import Glibc

/// `uri-host [ ":" port ]`, the value of Host and the authority of an absolute-form target (RFC 9110 §7.2,
/// RFC 3986 §3.2).
enum Authority {
  /// Longer than any DNS name with a port.
  static let maximumLength = 261

  /// Whether the bytes are a host that is not empty (RFC 9110 §4.2.1), with an optional port. User information,
  /// which that section deprecates as a way to deceive, is refused.
  static func isValid(_ bytes: ArraySlice<UInt8>) -> Bool {
    guard let first = bytes.first, bytes.count <= maximumLength else { return false }
    if first == UInt8(ascii: "[") {
      guard let close = bytes.firstIndex(of: UInt8(ascii: "]")) else { return false }
      return isIPv6(bytes[(bytes.startIndex + 1)..<close]) && isPort(bytes[(close + 1)...])
    }
    let colon = bytes.firstIndex(of: UInt8(ascii: ":")) ?? bytes.endIndex
    return isRegisteredName(bytes[..<colon]) && isPort(bytes[colon...])
  }

  private static func isRegisteredName(_ bytes: ArraySlice<UInt8>) -> Bool {
    guard !bytes.isEmpty else { return false }
    var index = bytes.startIndex
    while index < bytes.endIndex {
      if bytes[index] == UInt8(ascii: "%") {
        let digits = bytes[(index + 1)...].prefix(2)
        guard digits.count == 2, digits.allSatisfy({ ByteClass.of($0).contains(.hexadecimal) }) else {
          return false
        }
        index += 3
      } else {
        guard ByteClass.of(bytes[index]).contains(.host) else { return false }
        index += 1
      }
    }
    return true
  }

  private static func isIPv6(_ bytes: ArraySlice<UInt8>) -> Bool {
    guard bytes.allSatisfy({ ByteClass.of($0).contains(.hexadecimal) || $0 == 0x3A || $0 == 0x2E }) else {
      return false
    }
    var address = in6_addr()
    return inet_pton(AF_INET6, String(decoding: bytes, as: UTF8.self), &address) == 1
  }

  /// Nothing, or ":" and up to five digits no greater than 65535. RFC 3986 §3.2.3 allows ":" without digits.
  private static func isPort(_ bytes: ArraySlice<UInt8>) -> Bool {
    guard let first = bytes.first else { return true }
    let digits = bytes.dropFirst()
    guard first == UInt8(ascii: ":"), digits.count <= 5 else { return false }
    var port = 0
    for digit in digits {
      guard ByteClass.of(digit).contains(.digit) else { return false }
      port = port * 10 + Int(digit - UInt8(ascii: "0"))
    }
    return port <= 65_535
  }
}
