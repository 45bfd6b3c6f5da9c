/// An HTTP/1.1 request parser (RFC 9112): a value without I/O. Bytes go in, in any pieces; what comes out does not
/// depend on how they were cut, because every decision is made at a byte.
///
/// It is strict: whatever two readers of one connection could understand differently, which is how requests are
/// smuggled, is refused, and after a refusal nothing more is read.
public struct RequestParser: Sendable {
  /// What the bytes so far lead to.
  public enum Event: Sendable {
    /// All input is used; the request is not complete.
    case needMore
    /// The head is complete, and content follows. Parse on to read it, at most as much as `admitContent` has said; or
    /// answer the head alone and close, as what follows is then nothing that could be understood.
    /// - Parameter expectsContinue: the client waits for `100 Continue` before it sends the content
    ///   (RFC 9110 §10.1.1).
    case content(of: Request, expectsContinue: Bool)
    /// A complete request. What is left of the input belongs to the next one.
    case request(Request)
    /// The connection cannot go on: answer, if that makes sense, and close. Each further call says the same.
    case failure(ProtocolError)
  }

  private enum State: Sendable {
    case requestLine
    case fields
    case content(remaining: Int)
    case chunkSize
    case chunk(remaining: Int)
    case chunkEnd
    case trailers
    case complete
    case failed(ProtocolError)
  }

  private let limits: RequestLimits
  private var state = State.requestLine
  private var scanner = LineScanner()
  /// The lines of the head without their CRLFs; the request takes it over. A line in progress starts at `lineStart`.
  private var head: [UInt8] = []
  private var lineStart = 0
  private var hadEmptyLine = false
  private var requestLine: RequestLine?
  private var section = FieldSection()
  private var framing = Framing()
  private var body: [UInt8] = []
  private var contentLimit: Int
  private var chunkExtensionBytes = 0

  /// A parser at the start of a connection.
  public init(limits: RequestLimits = RequestLimits()) {
    self.limits = limits
    contentLimit = limits.bodyBytes
  }

  /// Lowers the limit for the content that is about to be read. Throws the 413 to answer if it is known to be longer.
  public mutating func admitContent(upTo limit: Int) throws(ProtocolError) {
    contentLimit = min(limit, contentLimit)
    if case .content(let remaining) = state, remaining > contentLimit {
      let error = Framing.contentTooLarge(contentLimit)
      state = .failed(error)
      throw error
    }
  }

  /// Whether no byte of a next request has come: the connection is idle, and may close without a loss. The empty line
  /// that some clients send after a body is not yet a request.
  public var isIdle: Bool {
    if case .requestLine = state { head.isEmpty && !scanner.expectsLineFeed } else { false }
  }

  /// Whether the head is complete and the content is not.
  public var isReadingContent: Bool {
    switch state {
    case .content, .chunkSize, .chunk, .chunkEnd, .trailers: true
    case .requestLine, .fields, .complete, .failed: false
    }
  }

  /// The method of the request in progress or refused, if its line was read: a response to HEAD has no content.
  public var method: Method? { requestLine?.method }

  /// Reads on at `position`, which moves behind what was used.
  public mutating func parse(_ input: Span<UInt8>, from position: inout Int) -> Event {
    do {
      while true {
        switch state {
        case .requestLine:
          guard try parseRequestLine(input, &position) else { return .needMore }
        case .fields:
          guard try parseField(input, &position) else { return .needMore }
          if isReadingContent {
            return .content(of: request(), expectsContinue: framing.expectsContinue)
          }
        case .content(let remaining):
          let rest = take(remaining, of: input, &position)
          state = rest == 0 ? .complete : .content(remaining: rest)
          if rest > 0 { return .needMore }
        case .chunkSize:
          guard try parseChunkSize(input, &position) else { return .needMore }
        case .chunk(let remaining):
          let rest = take(remaining, of: input, &position)
          state = rest == 0 ? .chunkEnd : .chunk(remaining: rest)
          if rest > 0 { return .needMore }
        case .chunkEnd:
          guard try nextLine(input, &position, limit: 0, tooLong: .bad("a chunk is longer than its size"))
          else {
            return .needMore
          }
          state = .chunkSize
        case .trailers:
          guard try parseField(input, &position) else { return .needMore }
        case .complete:
          return .request(takeRequest())
        case .failed(let error):
          return .failure(error)
        }
      }
    } catch {
      state = .failed(error)
      return .failure(error)
    }
  }

  // MARK: The stages

  private mutating func parseRequestLine(_ input: Span<UInt8>, _ position: inout Int) throws(ProtocolError)
    -> Bool
  {
    if head.capacity == 0 { head.reserveCapacity(512) }
    let limit = limits.requestLine
    guard
      try nextLine(
        input,
        &position,
        limit: limit,
        tooLong: ProtocolError(.uriTooLong, "the request line is longer than \(limit) bytes")
      )
    else { return false }
    if head.isEmpty {
      // One empty line before a request is tolerated, for clients that end a body with one (RFC 9112 §2.2).
      guard !hadEmptyLine else { throw .bad("the request line is empty") }
      hadEmptyLine = true
      return true
    }
    requestLine = try RequestLine(head[...])
    lineStart = head.count
    section.entries.reserveCapacity(16)
    state = .fields
    return true
  }

  /// One line of the header or the trailer section; the empty one ends it.
  private mutating func parseField(_ input: Span<UInt8>, _ position: inout Int) throws(ProtocolError) -> Bool
  {
    // The CRLF that the line will have is counted at once.
    let limit = max(0, limits.fieldBytes - section.bytes - 2)
    let most = limits.fieldBytes
    guard
      try nextLine(
        input,
        &position,
        limit: limit,
        tooLong: ProtocolError(
          .requestHeaderFieldsTooLarge,
          "the header fields are larger than \(most) bytes"
        )
      )
    else { return false }
    let isTrailer: Bool
    if case .trailers = state { isTrailer = true } else { isTrailer = false }
    guard lineStart < head.count else {
      if isTrailer { state = .complete } else { try beginContent() }
      return true
    }
    guard section.count < limits.fieldCount else {
      throw ProtocolError(
        .requestHeaderFieldsTooLarge,
        "there are more than \(limits.fieldCount) header fields"
      )
    }
    let entry = try section.read(head[lineStart...])
    if isTrailer {
      // Checked, counted and dropped: a trailer must never act as a header field (RFC 9110 §6.5.1).
      head.removeSubrange(lineStart...)
    } else {
      try framing.record(entry, in: head)
      section.entries.append(entry)
      lineStart = head.count
    }
    return true
  }

  /// The head is complete: what follows it (RFC 9112 §6.3)?
  private mutating func beginContent() throws(ProtocolError) {
    guard let requestLine else { preconditionFailure("fields come after a request line") }
    switch try framing.content(version: requestLine.version, limit: limits.bodyBytes) {
    case .none: state = .complete
    case .length(let length):
      // Not the whole length at once: memory is given for what has come, not for what was announced.
      body.reserveCapacity(min(length, 16 * 1024))
      state = .content(remaining: length)
    case .chunked: state = .chunkSize
    }
  }

  private mutating func parseChunkSize(_ input: Span<UInt8>, _ position: inout Int) throws(ProtocolError)
    -> Bool
  {
    let limit = ChunkSize.maximumDigits + 1 + max(0, limits.chunkExtensionBytes - chunkExtensionBytes)
    guard try nextLine(input, &position, limit: limit, tooLong: .bad("the chunk extensions are too long"))
    else {
      return false
    }
    let size = try ChunkSize(head[lineStart...])
    head.removeSubrange(lineStart...)
    chunkExtensionBytes += size.extensionBytes
    guard chunkExtensionBytes <= limits.chunkExtensionBytes else {
      throw .bad("the chunk extensions are too long")
    }
    guard size.size <= contentLimit - body.count else { throw Framing.contentTooLarge(contentLimit) }
    state = size.size == 0 ? .trailers : .chunk(remaining: size.size)
    return true
  }

  /// Whether the line that starts at `lineStart` is complete.
  private mutating func nextLine(
    _ input: Span<UInt8>,
    _ position: inout Int,
    limit: Int,
    tooLong: @autoclosure () -> ProtocolError
  ) throws(ProtocolError) -> Bool {
    switch scanner.scan(input, from: &position, into: &head, startingAt: lineStart, limit: limit) {
    case .incomplete: return false
    case .line: return true
    case .tooLong: throw tooLong()
    case .forbiddenByte: throw .bad("a line has a control character or does not end with CRLF")
    }
  }

  /// Moves up to `remaining` bytes of content; returns how many are still to come.
  private mutating func take(_ remaining: Int, of input: Span<UInt8>, _ position: inout Int) -> Int {
    let count = min(remaining, input.count - position)
    input.extracting(position..<(position + count)).withUnsafeBufferPointer { body.append(contentsOf: $0) }
    position += count
    return remaining - count
  }

  private mutating func takeRequest() -> Request {
    let request = request()
    self = RequestParser(limits: limits)
    return request
  }

  /// The request, as far as it is known.
  private func request() -> Request {
    guard let line = requestLine else { preconditionFailure("a complete head has a request line") }
    return Request(
      method: line.method,
      target: line.target,
      version: line.version,
      fields: Fields(bytes: head, entries: section.entries),
      body: body,
      persists: framing.persists(version: line.version)
    )
  }
}
