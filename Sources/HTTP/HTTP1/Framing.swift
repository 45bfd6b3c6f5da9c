/// What the header section says about the message itself: where its content ends, whom it is for, and what happens to
/// the connection (RFC 9112 §3.2, §6.3 and §9.3, RFC 9110 §10.1.1).
struct Framing: Sendable {
  enum Content: Sendable {
    case none
    case length(Int)
    case chunked
  }

  private var hostCount = 0
  private var length: Int?
  private var isChunked = false
  private var closes = false
  private var keepsAlive = false
  private var hasContinueExpectation = false
  private(set) var expectsContinue = false

  static func contentTooLarge(_ limit: Int) -> ProtocolError {
    ProtocolError(.contentTooLarge, "the content is larger than \(limit) bytes")
  }

  /// Looks at one field line of the header section. Throws when it alone is reason to refuse the request.
  mutating func record(_ entry: Fields.Entry, in head: [UInt8]) throws(ProtocolError) {
    let name = head[entry.name]
    let value = head[entry.value]
    switch name.count {
    case 4 where equalsIgnoringCase(name, "host"):
      hostCount += 1
      guard hostCount == 1, Authority.isValid(value) else {
        throw .bad("Host must be given once and be valid")
      }
    case 6 where equalsIgnoringCase(name, "expect"):
      for member in listMembers(value) where !member.isEmpty {
        guard equalsIgnoringCase(member, "100-continue") else {
          throw ProtocolError(.expectationFailed, "the only expectation that can be met is 100-continue")
        }
        hasContinueExpectation = true
      }
    case 10 where equalsIgnoringCase(name, "connection"):
      for option in listMembers(value) {
        if equalsIgnoringCase(option, "close") { closes = true }
        if equalsIgnoringCase(option, "keep-alive") { keepsAlive = true }
      }
    case 14 where equalsIgnoringCase(name, "content-length"):
      // Even a repeated equal value is refused: a proxy before us may have used the other one.
      guard length == nil, entry.value.upperBound == head.count, let value = Framing.length(value) else {
        throw .bad("Content-Length must be given once, as digits")
      }
      length = value
    case 17 where equalsIgnoringCase(name, "transfer-encoding"):
      guard !isChunked, entry.value.upperBound == head.count else {
        throw .bad("Transfer-Encoding must be given once, as chunked")
      }
      try Framing.checkTransferCoding(value)
      isChunked = true
    default: break
    }
  }

  /// The whole header section is known: how the content is delimited.
  mutating func content(version: Version, limit: Int) throws(ProtocolError) -> Content {
    guard hostCount == 1 || version == .http1_0 else { throw .bad("Host is missing") }
    guard !isChunked || length == nil else {
      throw .bad("Content-Length and Transfer-Encoding exclude each other")
    }
    guard !isChunked || version == .http1_1 else { throw .bad("HTTP/1.0 has no Transfer-Encoding") }
    if let length, length > limit { throw Framing.contentTooLarge(limit) }
    // Without content there is nothing to wait for; an HTTP/1.0 client cannot know 100 (RFC 9110 §10.1.1).
    expectsContinue = hasContinueExpectation && version != .http1_0 && (isChunked || length ?? 0 > 0)
    if isChunked { return .chunked }
    guard let length, length > 0 else { return .none }
    return .length(length)
  }

  /// Whether the connection persists after the response (RFC 9112 §9.3).
  func persists(version: Version) -> Bool {
    !closes && (version != .http1_0 || keepsAlive)
  }

  /// Digits only; nil when empty or beyond Int.
  private static func length(_ bytes: ArraySlice<UInt8>) -> Int? {
    guard !bytes.isEmpty, bytes.count <= 19 else { return nil }
    var length = 0
    for byte in bytes {
      guard ByteClass.of(byte).contains(.digit) else { return nil }
      let (tens, tooManyTens) = length.multipliedReportingOverflow(by: 10)
      let (sum, tooLarge) = tens.addingReportingOverflow(Int(byte - UInt8(ascii: "0")))
      guard !tooManyTens, !tooLarge else { return nil }
      length = sum
    }
    return length
  }

  /// `chunked` alone is understood. A list in which chunked is not the last and only once delimits nothing: 400
  /// (RFC 9112 §6.3). Well-formed codings that are just unknown: 501 (§6.1).
  private static func checkTransferCoding(_ value: ArraySlice<UInt8>) throws(ProtocolError) {
    if equalsIgnoringCase(value, "chunked") { return }
    let codings = listMembers(value)
    let areTokens = codings.allSatisfy { coding in
      !coding.isEmpty && coding.allSatisfy { ByteClass.of($0).contains(.token) }
    }
    guard areTokens, !codings.dropLast().contains(where: { equalsIgnoringCase($0, "chunked") }) else {
      throw .bad("Transfer-Encoding is malformed")
    }
    throw ProtocolError(.notImplemented, "the only transfer coding known is chunked")
  }
}
