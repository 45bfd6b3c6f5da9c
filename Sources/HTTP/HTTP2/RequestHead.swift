/// A request's header section as HPACK decodes it: limits at the field that exceeds them, then the same rules as for
/// HTTP/1.1. What only HTTP/2 asks for (RFC 9113 §8.2 and §8.3: pseudo-fields first, once and complete; small
/// letters; no connection-specific fields) nghttp2 has checked already.
struct RequestHead {
  private var bytes: [UInt8] = []
  private var entries: [Fields.Entry] = []
  private var method: Range<Int>?
  private var path: Range<Int>?
  private var authority: Range<Int>?
  private var framing = Framing()
  private var cookies = 0
  private(set) var count = 0
  /// As RFC 9113 §6.5.2 counts: 32 more for each field.
  private(set) var size = 0
  /// Why the request will be refused; nothing is kept of what comes after that.
  private(set) var error: ProtocolError?

  var expectsContinue: Bool { framing.expectsContinue }
  var isHead: Bool { method.map { bytes[$0].elementsEqual("HEAD".utf8) } ?? false }

  mutating func append(
    _ name: UnsafeBufferPointer<UInt8>,
    _ value: UnsafeBufferPointer<UInt8>,
    _ limits: RequestLimits
  ) {
    guard error == nil, countField(name.count, value.count, limits) else { return }
    if bytes.isEmpty {
      bytes.reserveCapacity(384)
      entries.reserveCapacity(12)
    }
    do throws(ProtocolError) {
      if name.first == UInt8(ascii: ":") {
        try appendPseudo(name, value, limits)
      } else {
        try appendField(name, value)
      }
    } catch {
      self.error = error
    }
  }

  /// Counts a field of the trailer section, which is checked and dropped, as in HTTP/1.1.
  mutating func countField(_ name: Int, _ value: Int, _ limits: RequestLimits) -> Bool {
    count += 1
    size += name + value + 32
    // The four pseudo-fields are HTTP/1.1's request line, which is no field.
    guard count <= limits.fieldCount + 4 else {
      error = ProtocolError(
        .requestHeaderFieldsTooLarge,
        "there are more than \(limits.fieldCount) header fields"
      )
      return false
    }
    guard size <= limits.fieldBytes + limits.requestLine else {
      error = ProtocolError(
        .requestHeaderFieldsTooLarge,
        "the header fields are larger than \(limits.fieldBytes) bytes"
      )
      return false
    }
    return true
  }

  /// The section is complete: the request, and how long its content says to be, if it does. Throws what to answer.
  mutating func finish(_ limits: RequestLimits) throws(ProtocolError) -> (Request, length: Int?) {
    if let error { throw error }
    guard let method, let path else { throw .bad("the pseudo-header fields are incomplete") }
    let name = bytes[method]
    guard let known = Method(bytes: name) else {
      guard name.allSatisfy({ ByteClass.of($0).contains(.token) }) else {
        throw .bad("the method is malformed")
      }
      throw ProtocolError(.notImplemented, "the method is not implemented")
    }
    // An absolute URI would carry a second authority.
    guard bytes[path].first == UInt8(ascii: "/") || bytes[path].elementsEqual("*".utf8) else {
      throw .bad("the path does not start with a slash")
    }
    let target = try Target(bytes: bytes[path], method: known)
    let length: Int?
    switch try framing.content(version: .http2, limit: limits.bodyBytes) {
    case .length(let announced): length = announced
    case .none, .chunked: length = nil
    }
    if cookies > 1 { joinCookies() }
    let request = Request(
      method: known,
      target: target,
      version: .http2,
      fields: Fields(bytes: bytes, entries: entries)
    )
    return (request, length)
  }

  private mutating func appendPseudo(
    _ name: UnsafeBufferPointer<UInt8>,
    _ value: UnsafeBufferPointer<UInt8>,
    _ limits: RequestLimits
  ) throws(ProtocolError) {
    let start = bytes.count
    switch name.count {
    case 5:  // :path
      guard value.count <= limits.requestLine else {
        throw ProtocolError(.uriTooLong, "the path is longer than \(limits.requestLine) bytes")
      }
      bytes.append(contentsOf: value)
      path = start..<bytes.count
    case 7 where name[1] == UInt8(ascii: "m"):
      bytes.append(contentsOf: value)
      method = start..<bytes.count
    case 7:  // :scheme
      guard value.elementsEqual("http".utf8) || value.elementsEqual("https".utf8) else {
        throw .bad("the scheme is neither http nor https")
      }
    case 10:  // :authority
      // Handlers find it where they find it in HTTP/1.1 (RFC 9113 §8.3.1).
      bytes.append(contentsOf: "host".utf8)
      let middle = bytes.count
      bytes.append(contentsOf: value)
      let entry = Fields.Entry(name: start..<middle, value: middle..<bytes.count)
      try framing.record(entry, in: bytes)
      authority = entry.value
      entries.append(entry)
    default: throw .bad("a pseudo-header field is unknown")
    }
  }

  private mutating func appendField(
    _ name: UnsafeBufferPointer<UInt8>,
    _ value: UnsafeBufferPointer<UInt8>
  ) throws(ProtocolError) {
    let start = bytes.count
    bytes.append(contentsOf: name)
    let middle = bytes.count
    bytes.append(contentsOf: value)
    let entry = Fields.Entry(name: start..<middle, value: middle..<bytes.count)
    if let authority, name.count == 4, name.elementsEqual("host".utf8) {
      guard bytes[authority].elementsEqual(value, by: { lowercased($0) == lowercased($1) }) else {
        throw .bad("Host and the request's authority differ")
      }
      bytes.removeSubrange(start...)
      return
    }
    if name.count == 6, name.elementsEqual("cookie".utf8) { cookies += 1 }
    try framing.record(entry, in: bytes)
    entries.append(entry)
  }

  /// Clients may split Cookie for the sake of compression; it is one list (RFC 9113 §8.2.3).
  private mutating func joinCookies() {
    let isCookie: (Fields.Entry) -> Bool = { [bytes] in equalsIgnoringCase(bytes[$0.name], "cookie") }
    let parts = entries.filter(isCookie)
    entries.removeAll(where: isCookie)
    guard let name = parts.first?.name else { return }
    let start = bytes.count
    for (number, part) in parts.enumerated() {
      if number > 0 { bytes.append(contentsOf: "; ".utf8) }
      bytes.append(contentsOf: Array(bytes[part.value]))
    }
    entries.append(Fields.Entry(name: name, value: start..<bytes.count))
  }
}
