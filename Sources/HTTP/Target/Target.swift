/// The target of a request (RFC 9112 §3.2), taken apart and decoded exactly once, when it is parsed.
///
/// Whatever could make two readers see two different resources is refused: dot segments, empty segments, encoded
/// slashes, backslashes, control bytes, UTF-8 that is not the shortest form. Routes compare `decodedPath` and are
/// safe.
public struct Target: Sendable, Hashable {
  /// The request-target as it was sent.
  public let raw: String
  /// The path with its percent-encoding removed, once: `/v1/top-items`. It starts with "/", or is "*" for
  /// `OPTIONS *`.
  public let decodedPath: String
  /// The host and port of an absolute-form target.
  public let authority: String?

  private let pathOffset: Int
  private let queryOffset: Int?

  /// What follows the "?", still encoded; nil without a "?". See `queryItems(limit:)`.
  public var query: String? {
    queryOffset.map { String(decoding: raw.utf8.dropFirst($0), as: UTF8.self) }
  }

  /// The path and query as they were sent, without scheme and authority.
  public var rawPathAndQuery: String {
    guard pathOffset > 0 else { return raw }
    let rest = String(decoding: raw.utf8.dropFirst(pathOffset), as: UTF8.self)
    return rest.utf8.first == UInt8(ascii: "/") ? rest : "/" + rest
  }
}

extension Target {
  /// Takes apart the target of a request. Throws the 400 to answer.
  public init(_ raw: String, method: Method = .get) throws(ProtocolError) {
    try self.init(bytes: Array(raw.utf8)[...], method: method)
  }

  init(bytes: ArraySlice<UInt8>, method: Method) throws(ProtocolError) {
    guard let first = bytes.first else { throw .bad("the request-target is missing") }
    if first == UInt8(ascii: "/") {
      try self.init(bytes: bytes, pathStart: bytes.startIndex, authority: nil)
    } else if bytes.elementsEqual("*".utf8) {
      guard method == .options else { throw .bad("the request-target * is only for OPTIONS") }
      self.init(raw: "*", decodedPath: "*", authority: nil, pathOffset: 0, queryOffset: nil)
    } else {
      let pathStart: Int
      let authority: String
      (authority, pathStart) = try Target.splitAbsoluteForm(bytes)
      try self.init(bytes: bytes, pathStart: pathStart, authority: authority)
    }
  }

  /// Origin-form, or the part of absolute-form that follows the authority.
  private init(bytes: ArraySlice<UInt8>, pathStart: Int, authority: String?) throws(ProtocolError) {
    var pathEnd = pathStart
    var isPlain = true
    var previous: UInt8 = 0
    while pathEnd < bytes.endIndex {
      let byte = bytes[pathEnd]
      if byte == UInt8(ascii: "?") { break }
      if !ByteClass.of(byte).contains(.path) {
        guard byte == UInt8(ascii: "%") else {
          throw .bad("the path has a character that must be percent-encoded")
        }
        isPlain = false
      } else if previous == UInt8(ascii: "/"), byte == previous || byte == UInt8(ascii: ".") {
        isPlain = false  // An empty or a dot segment, or just a name that starts with a dot.
      }
      previous = byte
      pathEnd += 1
    }
    let hasQuery = pathEnd < bytes.endIndex
    if hasQuery {
      for byte in bytes[(pathEnd + 1)...] where !ByteClass.of(byte).contains(.query) {
        throw .bad("the query has a character that must be percent-encoded")
      }
    }
    raw = String(decoding: bytes, as: UTF8.self)
    pathOffset = pathStart - bytes.startIndex
    queryOffset = hasQuery ? pathEnd + 1 - bytes.startIndex : nil
    self.authority = authority
    if isPlain {
      // The usual path: nothing to decode, and without a query the string is shared.
      decodedPath =
        pathStart == pathEnd
        ? "/"
        : hasQuery || authority != nil ? String(decoding: bytes[pathStart..<pathEnd], as: UTF8.self) : raw
    } else {
      decodedPath = try PercentDecoding.path(bytes[pathStart..<pathEnd])
    }
  }

  /// `http://authority[/path][?query]` (RFC 9112 §3.2.2): the authority and where the path starts.
  private static func splitAbsoluteForm(
    _ bytes: ArraySlice<UInt8>
  ) throws(ProtocolError) -> (authority: String, pathStart: Int) {
    let schemes = ["http://", "https://"]
    guard let scheme = schemes.first(where: { equalsIgnoringCase(bytes.prefix($0.utf8.count), $0) }) else {
      throw .bad("the request-target is neither a path nor an http URI")
    }
    let start = bytes.startIndex + scheme.utf8.count
    let end =
      bytes[start...].firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? bytes.endIndex
    guard Authority.isValid(bytes[start..<end]) else {
      throw .bad("the request-target's authority is invalid")
    }
    return (String(decoding: bytes[start..<end], as: UTF8.self), end)
  }
}
