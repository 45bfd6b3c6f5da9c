/// `method SP request-target SP HTTP-version` (RFC 9112 §3), with exactly one space between the parts.
struct RequestLine: Sendable {
  let method: Method
  let target: Target
  let version: Version

  init(_ line: ArraySlice<UInt8>) throws(ProtocolError) {
    let space = UInt8(ascii: " ")
    guard let first = line.firstIndex(of: space), let last = line.lastIndex(of: space), first < last else {
      throw .bad("the request line is malformed")
    }
    let name = line[..<first]
    let method = Method(bytes: name)
    guard method != nil || !name.isEmpty && name.allSatisfy({ ByteClass.of($0).contains(.token) }) else {
      throw .bad("the request line is malformed")
    }
    // The version comes first: of another protocol neither method nor target can be judged.
    version = try RequestLine.version(line[(last + 1)...])
    guard let method else { throw ProtocolError(.notImplemented, "the method is not implemented") }
    self.method = method
    target = try Target(bytes: line[(first + 1)..<last], method: method)
  }

  private static func version(_ bytes: ArraySlice<UInt8>) throws(ProtocolError) -> Version {
    let start = bytes.startIndex
    // The usual one without a look at its parts.
    if bytes.count == 8, bytes.withUnsafeBytes({ $0.loadUnaligned(as: UInt64.self) }) == http1_1 {
      return .http1_1
    }
    guard bytes.count == 8, bytes.starts(with: "HTTP/".utf8), bytes[start + 6] == UInt8(ascii: "."),
      let major = digit(bytes[start + 5]), let minor = digit(bytes[start + 7])
    else { throw .bad("the request line has no HTTP version") }
    switch (major, minor) {
    case (1, 0): return .http1_0
    case (1, 1): return .http1_1
    default: throw ProtocolError(.httpVersionNotSupported, "only HTTP/1.0 and HTTP/1.1 are spoken here")
    }
  }

  /// `HTTP/1.1` as it stands in memory.
  private static let http1_1 = UInt64(bigEndian: 0x4854_5450_2F31_2E31)

  private static func digit(_ byte: UInt8) -> Int? {
    ByteClass.of(byte).contains(.digit) ? Int(byte - UInt8(ascii: "0")) : nil
  }
}
