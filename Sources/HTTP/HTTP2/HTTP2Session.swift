import CNghttp2

/// The server's side of one HTTP/2 connection (RFC 9113), without a socket: bytes in, requests out; answers in, bytes
/// out.
///
/// nghttp2 does frames, HPACK and flow control. What it leaves to us is here: the limits of `HTTP2Limits`, so that
/// neither memory nor work can be forced upon us, and the deadlines. nghttp2's callbacks only take notes; the caller
/// acts on them after `receive` has returned.
///
/// A class, as nghttp2 keeps a pointer to it. One thread at a time may use it. Times are nanoseconds of a clock that
/// never goes back.
public final class HTTP2Session {
  /// A stream's number.
  public typealias StreamID = Int32

  /// What the caller has to answer.
  public enum Incoming: Sendable {
    /// A whole request.
    case request(Request, StreamID)
    /// What is no valid request, or took too long, and what to say about it.
    case refusal(ProtocolError, StreamID)
  }

  /// What became of a stream that the caller has got from `nextIncoming`.
  public enum Notice: Sendable, Hashable {
    /// The stream is gone before all of its response was handed over.
    case closed(StreamID)
    /// All that was handed over of an open response is on its way; there is room for more.
    case writable(StreamID)
  }

  /// Why we ended the connection.
  public struct Failure: Error, Sendable, Hashable {
    /// The code that was sent to the client.
    public var code: HTTP2ErrorCode
    /// One clause for people; it repeats no bytes of the client's.
    public var detail: String
  }

  let limits: HTTP2Limits
  let requestLimits: RequestLimits
  let contentLimit: (Request) -> Int
  private let session: OpaquePointer
  var streams: [StreamID: HTTP2Stream] = [:]
  /// The stream that nghttp2 spoke of last: most callbacks come in rows.
  var latest: HTTP2Stream?
  var now: Nanoseconds
  var guardian: FloodGuard
  /// What is kept of all requests that are not yet taken.
  var requestBytes = 0
  /// Content of all responses that is not yet sent, in bytes.
  public internal(set) var pendingAnswerBytes = 0
  /// Whether the client's first SETTINGS have come.
  var hasPreface = false
  /// Why the connection is to end, set while nghttp2 sends.
  var violation: Failure?

  private var scanner = FrameScanner()
  /// Since when a header section has been coming in; the connection's preface counts as one.
  private var headSince: Nanoseconds?
  private var incoming: [Incoming] = []
  private var incomingStart = 0
  private var notices: [Notice] = []
  private var idleSince: Nanoseconds
  private var isAnnounced = false
  private enum Drain { case no, noticed(until: Nanoseconds), final }
  private var drain = Drain.no
  /// The client has answered the notice that the connection is about to end.
  var isNoticeHeeded = false
  /// Why we ended the connection, if we did.
  public private(set) var failure: Failure?

  /// A session at the start of a connection.
  ///
  /// - Parameter contentLimit: how many bytes of content a request may have, asked when its head is known, if content
  ///   may follow. More is a 413; with 0 the request is complete as it is, and content is dropped.
  public init(
    limits: HTTP2Limits = HTTP2Limits(),
    request: RequestLimits = RequestLimits(),
    contentLimit: @escaping (Request) -> Int = { _ in .max },
    now: UInt64
  ) {
    self.limits = limits
    requestLimits = request
    self.contentLimit = contentLimit
    self.now = now
    guardian = FloodGuard(limits, at: now)
    idleSince = now
    headSince = now
    var pointer: OpaquePointer?
    // The session's own pointer follows below: it is not there yet.
    let code = nghttp2_session_server_new2(&pointer, HTTP2Session.callbacks, nil, HTTP2Session.options)
    // nghttp2 fails here only without memory, with which Swift cannot go on either.
    guard code == 0, let pointer else { preconditionFailure("nghttp2: no memory for a session") }
    session = pointer
    nghttp2_session_set_user_data(session, Unmanaged.passUnretained(self).toOpaque())
    var settings = [
      // Must be first: see `write`.
      nghttp2_settings_entry(
        settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue),
        value: UInt32(Int32.max)
      ),
      nghttp2_settings_entry(
        settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue),
        value: UInt32(clamping: request.fieldBytes + request.requestLine)
      ),
      // The old priorities are not used, and their tree is work that a client can cause.
      nghttp2_settings_entry(
        settings_id: Int32(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES.rawValue),
        value: 1
      ),
    ]
    let submitted = nghttp2_submit_settings(
      session,
      UInt8(NGHTTP2_FLAG_NONE.rawValue),
      &settings,
      settings.count
    )
    precondition(submitted == 0, "nghttp2 does not take our settings")
  }

  deinit {
    nghttp2_session_del(session)
  }

  // MARK: In

  /// Takes all of the bytes. Afterwards there may be something to take from `nextIncoming`, `takeNotices` and `write`.
  public func receive(_ bytes: UnsafeRawBufferPointer, now: UInt64) {
    self.now = now
    guard failure == nil, bytes.count > 0 else { return }
    let sections = scanner.sections
    if let failure = scanner.scan(bytes, { guardian.record($0, at: now) }) { return end(failure) }
    let count = nghttp2_session_mem_recv(
      session,
      bytes.bindMemory(to: UInt8.self).baseAddress,
      bytes.count
    )
    if count < 0 { end(HTTP2Session.failure(nghttp2_error(rawValue: Int32(clamping: count)))) }
    if hasPreface, !scanner.isInSection {
      headSince = nil
    } else if headSince == nil || scanner.sections != sections {
      headSince = now
    }
  }

  /// The next request to answer, in the order in which they became complete. Nil too while so much of older responses
  /// is unsent that there is no room for more.
  public func nextIncoming() -> Incoming? {
    guard pendingAnswerBytes < limits.answerBytes else { return nil }
    while incomingStart < incoming.count {
      let next = incoming[incomingStart]
      incomingStart += 1
      if incomingStart == incoming.count {
        incoming.removeAll(keepingCapacity: true)
        incomingStart = 0
      }
      let id: StreamID
      switch next {
      case .request(_, let stream), .refusal(_, let stream): id = stream
      }
      // Its client may have given up by now.
      guard let stream = streams[id] else { continue }
      requestBytes -= stream.requestBytes
      stream.head = RequestHead()
      stream.content = []
      stream.isHandedOver = true
      return next
    }
    return nil
  }

  /// Whether `takeNotices` has something.
  public var hasNotices: Bool { !notices.isEmpty }

  /// What became of the streams since the last call.
  public func takeNotices() -> [Notice] {
    guard !notices.isEmpty else { return [] }
    defer { notices.removeAll(keepingCapacity: true) }
    return notices
  }

  // MARK: Out

  /// Appends what is to be sent, up to about `limit` bytes in all of `output`. What flow control holds back stays.
  public func write(into output: inout [UInt8], limit: Int = .max, now: UInt64) {
    self.now = now
    // Not before all that came with the client's response is taken: those requests are still served.
    if isNoticeHeeded { finishDrain() }
    while output.count < limit {
      var bytes: UnsafePointer<UInt8>?
      let count = nghttp2_session_mem_send(session, &bytes)
      guard count > 0 else {
        let error = count < 0 ? HTTP2Session.failure(nghttp2_error(rawValue: Int32(clamping: count))) : nil
        guard failure == nil, let reason = violation ?? error else { return }
        // The message for the client is still to be sent.
        end(reason)
        continue
      }
      let start = output.count
      output.append(contentsOf: UnsafeBufferPointer(start: bytes, count: count))
      if !isAnnounced { announceLimit(in: &output, at: start) }
    }
  }

  /// Whether the connection is to be closed once all that `write` gave is sent.
  public var isFinished: Bool {
    let reads = failure == nil && nghttp2_session_want_read(session) != 0
    return !reads && nghttp2_session_want_write(session) == 0
  }

  /// Whether no stream is open.
  public var isIdle: Bool { streams.isEmpty }

  // MARK: The end

  /// The server stops: it sends GOAWAY, finishes what it has begun, and takes nothing new. The client's
  /// requests that are on their way are still answered: only when it has seen the notice comes the final word (RFC
  /// 9113 §6.8).
  public func shutDown(now: UInt64) {
    self.now = now
    guard case .no = drain, failure == nil else { return }
    drain = .noticed(until: now + limits.drain)
    // Without memory there is no notice; the deadline then serves alone.
    _ = nghttp2_submit_shutdown_notice(session)
    _ = nghttp2_submit_ping(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), nil)
  }

  /// The client has answered the notice, or too slowly.
  private func finishDrain() {
    guard case .noticed = drain else { return }
    drain = .final
    _ = nghttp2_submit_goaway(
      session,
      UInt8(NGHTTP2_FLAG_NONE.rawValue),
      nghttp2_session_get_last_proc_stream_id(session),
      HTTP2ErrorCode.noError.rawValue,
      nil,
      0
    )
  }

  private func end(_ failure: Failure) {
    guard self.failure == nil else { return }
    _ = nghttp2_session_terminate_session(session, failure.code.rawValue)
    forgetAll(failure)
  }

  /// nghttp2 has ended the connection for what the client did.
  func recordEnd(_ code: HTTP2ErrorCode) {
    forgetAll(Failure(code: code, detail: "the client broke the protocol"))
  }

  private func forgetAll(_ failure: Failure) {
    guard self.failure == nil else { return }
    self.failure = failure
    // Nothing more is answered; nghttp2 keeps its streams until it is freed.
    for stream in Array(streams.values) { forget(stream) }
    incoming = []
    incomingStart = 0
  }

  // MARK: Deadlines

  /// When `expire` is to be called next.
  public var nextDeadline: UInt64 {
    if failure != nil { return .max }
    var next = streams.isEmpty ? idleSince + limits.idle : .max
    if let headSince { next = min(next, headSince + limits.header) }
    if case .noticed(let until) = drain { next = min(next, until) }
    for stream in streams.values { next = min(next, stream.deadline(limits)) }
    return next
  }

  /// Ends what has taken too long.
  public func expire(now: UInt64) {
    self.now = now
    guard failure == nil else { return }
    if case .noticed(let until) = drain, until <= now { finishDrain() }
    if let headSince, headSince + limits.header <= now {
      return end(Failure(code: .enhanceYourCalm, detail: "a header section took too long to arrive"))
    }
    if streams.isEmpty, idleSince + limits.idle <= now {
      return end(Failure(code: .noError, detail: "the connection was idle"))
    }
    for stream in Array(streams.values) where stream.deadline(limits) <= now {
      if case .content = stream.input {
        refuse(stream, ProtocolError(.requestTimeout, "the request took too long to arrive"))
      } else {
        reset(stream.id, stream.answeredSince == nil ? .cancel : .noError)
      }
    }
  }

  // MARK: Streams

  /// Breaks a stream off, so that no cut response looks whole.
  public func reset(_ id: StreamID, _ code: HTTP2ErrorCode) {
    guard let stream = streams[id] else { return }
    _ = nghttp2_submit_rst_stream(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), id, code.rawValue)
    forget(stream)
  }

  /// The request is complete.
  func complete(_ stream: HTTP2Stream) {
    stream.input = .done
    guard var request = stream.request else { return }
    stream.request = nil
    request.body = stream.content
    incoming.append(.request(request, stream.id))
  }

  /// The request will not be served; what still comes of it is dropped. One that is complete, or refused, stays so.
  func refuse(_ stream: HTTP2Stream, _ error: ProtocolError) {
    if case .done = stream.input { return }
    // A client that is too slow sends no more.
    stream.dropAllowance = error.status == .requestTimeout ? 0 : requestLimits.bodyBytes
    stream.input = .done
    stream.request = nil
    requestBytes -= stream.content.count
    stream.content = []
    incoming.append(.refusal(error, stream.id))
  }

  /// The stream is over, for whatever reason.
  func forget(_ stream: HTTP2Stream) {
    guard streams.removeValue(forKey: stream.id) != nil else { return }
    if latest === stream { latest = nil }
    pendingAnswerBytes -= stream.pending
    if !stream.isHandedOver {
      requestBytes -= stream.requestBytes
    } else if !stream.isWhole {
      notices.append(.closed(stream.id))
    }
    if streams.isEmpty { idleSince = now }
  }

  func recordWritable(_ stream: HTTP2Stream) { notices.append(.writable(stream.id)) }

  /// For nghttp2's other functions: what is submitted comes out of `write`.
  func withSession<Result>(_ body: (OpaquePointer) -> Result) -> Result { body(session) }

  /// nghttp2 answers a stream too many with the end of the connection. We refuse it alone (RFC 9113 §5.1.2), so nghttp2
  /// must have a limit that is never met; the client gets ours, in the first frame, whose first setting it is.
  private func announceLimit(in output: inout [UInt8], at start: Int) {
    isAnnounced = true
    let frameHeader = 9
    let identifier = 2
    let value = start + frameHeader + identifier
    precondition(output.count >= value + 4, "the first frame has our settings")
    for byte in 0..<4 {
      output[value + byte] = UInt8(truncatingIfNeeded: limits.concurrentStreams >> (8 * (3 - byte)))
    }
  }

  private static func failure(_ error: nghttp2_error) -> Failure {
    switch error {
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
      Failure(code: .protocolError, detail: "the connection preface is wrong")
    case NGHTTP2_ERR_FLOODED: Failure(code: .enhanceYourCalm, detail: "too many frames that need an answer")
    case NGHTTP2_ERR_NOMEM: Failure(code: .internalError, detail: "no memory")
    default: Failure(code: .protocolError, detail: String(cString: nghttp2_strerror(error.rawValue)))
    }
  }
}
