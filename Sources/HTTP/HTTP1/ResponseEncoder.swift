/// Turns responses into the bytes of HTTP/1.1 (RFC 9112 §4 and §6), appended to a buffer that the connection reuses.
///
/// It alone writes what delimits the message: `Content-Length`, `Transfer-Encoding`, `Connection` and `Date` of the
/// handler's fields are not sent.
public struct ResponseEncoder: Sendable {
  /// What the encoder must know of the request that is answered.
  public struct Context: Sendable {
    /// The request's method, nil if it could not be read: HEAD has a response without content.
    public var method: Method?
    /// The client's version: HTTP/1.0 needs a field when the connection persists.
    public var version: Version
    /// Whether the connection lives on.
    public var persists: Bool

    /// The context of one response.
    public init(method: Method?, version: Version, persists: Bool) {
      self.method = method
      self.version = version
      self.persists = persists
    }
  }

  /// How the end of a body is marked (RFC 9112 §6.3).
  public enum Coding: Sendable, Equatable {
    /// `Content-Length`.
    case length(Int)
    /// The chunked transfer coding, for HTTP/1.1.
    case chunked
    /// The connection's end, for HTTP/1.0.
    case untilClose
  }

  /// The current `Date`.
  public var date: DateField

  /// An encoder for the second since 1970.
  public init(second: Int64) {
    date = DateField(second: second)
  }

  /// `HTTP/1.1 100 Continue` and the empty line (RFC 9110 §15.2.1).
  public static let continueBytes = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

  /// Whether the body is sent: not for HEAD, nor for a status without content.
  public static func sendsBody(_ response: Response, _ context: Context) -> Bool {
    context.method != .head && !response.status.isWithoutContent
  }

  /// Appends status line, fields and the empty line.
  public func appendHead(
    of response: Response,
    _ context: Context,
    _ coding: Coding,
    to buffer: inout [UInt8]
  ) {
    if let head = response.head, coding == .length(response.body.count) {
      buffer.append(contentsOf: head.bytes)
    } else {
      ResponseEncoder.appendConstant(of: response, coding, to: &buffer)
    }
    buffer.append(contentsOf: date.line)
    if !context.persists {
      append("Connection: close\r\n", to: &buffer)
    } else if context.version == .http1_0 {
      append("Connection: keep-alive\r\n", to: &buffer)
    }
    append("\r\n", to: &buffer)
  }

  /// Appends of the head what is the same whenever and over whichever connection it is sent.
  static func appendConstant(of response: Response, _ coding: Coding, to buffer: inout [UInt8]) {
    let fields = response.fields
    append("HTTP/1.1 ", to: &buffer)
    append(response.status.rawValue, to: &buffer)
    append(" ", to: &buffer)
    buffer.append(contentsOf: response.status.reason.utf8)
    append("\r\n", to: &buffer)
    for entry in fields.entries where !fields.isFraming(entry) {
      buffer.append(contentsOf: fields.bytes[entry.name])
      append(": ", to: &buffer)
      buffer.append(contentsOf: fields.bytes[entry.value])
      append("\r\n", to: &buffer)
    }
    switch coding {
    case .length(let length) where !response.status.isWithoutContent:
      append("Content-Length: ", to: &buffer)
      append(length, to: &buffer)
      append("\r\n", to: &buffer)
    case .chunked where !response.status.isWithoutContent:
      append("Transfer-Encoding: chunked\r\n", to: &buffer)
    default: break
    }
  }

  /// Appends the whole response.
  public func append(_ response: Response, _ context: Context, to buffer: inout [UInt8]) {
    appendHead(of: response, context, .length(response.body.count), to: &buffer)
    if ResponseEncoder.sendsBody(response, context) { buffer.append(contentsOf: response.body) }
  }

  /// Appends a piece of a body in the chunked transfer coding (RFC 9112 §7.1); not empty, as that would end it.
  public func appendChunk(_ piece: [UInt8], to buffer: inout [UInt8]) {
    appendChunkBegin(piece.count, to: &buffer)
    buffer.append(contentsOf: piece)
    appendChunkEnd(to: &buffer)
  }

  /// Appends what precedes a chunk's bytes, for a caller that sends these from elsewhere, and then `appendChunkEnd`.
  public func appendChunkBegin(_ size: Int, to buffer: inout [UInt8]) {
    precondition(size > 0, "an empty chunk is the last one")
    buffer.append(contentsOf: String(size, radix: 16).utf8)
    append("\r\n", to: &buffer)
  }

  /// Appends what stands behind a chunk's bytes.
  public func appendChunkEnd(to buffer: inout [UInt8]) { append("\r\n", to: &buffer) }

  /// Appends the end of a body in the chunked transfer coding.
  public func appendLastChunk(to buffer: inout [UInt8]) { append("0\r\n\r\n", to: &buffer) }

  private func append(_ text: StaticString, to buffer: inout [UInt8]) {
    ResponseEncoder.append(text, to: &buffer)
  }

  @inline(__always)
  private static func append(_ text: StaticString, to buffer: inout [UInt8]) {
    buffer.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// Decimal digits, without a string in between.
  private static func append(_ number: Int, to buffer: inout [UInt8]) {
    var divisor = 1
    while number / divisor >= 10 { divisor *= 10 }
    while divisor > 0 {
      buffer.append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
      divisor /= 10
    }
  }
}

extension Fields {
  /// Whether only an encoder writes a field of this name: it delimits or dates the message, or is about the connection.
  func isFraming(_ entry: Entry) -> Bool {
    switch entry.name.count {
    case 4: equalsIgnoringCase(bytes[entry.name], "date")
    case 10: equalsIgnoringCase(bytes[entry.name], "connection")
    case 14: equalsIgnoringCase(bytes[entry.name], "content-length")
    case 17: equalsIgnoringCase(bytes[entry.name], "transfer-encoding")
    default: false
    }
  }
}

extension Response {
  /// Whether the handler wants the connection closed after this response (`Connection: close`).
  public var closesConnection: Bool { head?.closesConnection ?? fieldsCloseConnection }

  /// The same from the fields themselves.
  var fieldsCloseConnection: Bool {
    fields.values(of: "Connection").contains { value in
      listMembers(Array(value.utf8)[...]).contains { equalsIgnoringCase($0, "close") }
    }
  }
}
