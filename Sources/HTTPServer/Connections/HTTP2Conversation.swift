import HTTP
import Threading
import Sockets

/// HTTP/2 (RFC 9113): many requests at one time, each on its stream. The session does the protocol; here its requests
/// are answered, step by step where a response comes so, as fast as flow control and the socket have room.
final class HTTP2Conversation: Conversation {
  /// A request whose response is being made.
  private struct Exchange {
    let answer: any PendingResponse
    let trace: RequestTrace?
    /// What the head said, once it is handed over.
    var begun: Status?
    var bodyBytes = 0
    var heartbeat: PushChannel.Heartbeat?
    var nextHeartbeat = Instant.never

    /// Whether a worker thread works for it: an endless response only until it has begun.
    var isWork: Bool { begun == nil || !answer.isEndless }
  }

  /// Output that is made before it is sent.
  private static let outputLimit = 64 * 1024
  private static let smallPiece = 4 * 1024
  /// How often in one turn the output may be filled.
  private static let roundsPerTurn = 4
  /// Requests that are taken before those of other connections have their turn.
  private static let requestsPerTurn = 16
  /// Responses of one connection that workers make at the same time; more requests wait here, not in the workers'
  /// queue, which all connections share.
  private static let concurrentWork = 16
  private static let preface = Array("PRI * HTTP/2.0\r\n".utf8)

  unowned let connection: Connection
  private let loop: ServerLoop
  private let session: HTTP2Session
  private var exchanges: [HTTP2Session.StreamID: Exchange] = [:]
  /// Requests that were taken in this turn.
  private var taken = 0
  /// Those of `exchanges` that are work.
  private var working = 0
  /// Streams whose responses had updates while there was no room to send.
  private var deferredUpdates: [HTTP2Session.StreamID] = []
  private(set) var deadline = Instant.never

  init(_ connection: Connection) {
    self.connection = connection
    loop = connection.loop
    let settings = loop.settings
    session = HTTP2Session(
      limits: settings.limits.http2Session,
      request: settings.limits.request,
      contentLimit: settings.contentLimit,
      now: loop.events.now.nanoseconds
    )
    if loop.isStopping { session.shutDown(now: now) }
  }

  /// Whether these are the first bytes of HTTP/2 with prior knowledge (RFC 9113 §3.3): no HTTP/1.1 request begins so.
  static func begins(with bytes: UnsafeRawBufferPointer) -> Bool { bytes.starts(with: preface) }

  /// Whether they could become so.
  static func mayBegin(with bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count < preface.count ? preface.starts(with: bytes) : begins(with: bytes)
  }

  /// While output waits, a client that does not read is not listened to either.
  var takesInput: Bool { connection.isDrained }
  /// After GOAWAY the connection is busy until it is finished.
  var isBusy: Bool { !session.isIdle || (loop.isStopping && !session.isFinished) }
  private var now: UInt64 { loop.events.now.nanoseconds }

  // MARK: Events

  func receive(_ input: UnsafeRawBufferPointer) {
    connection.beginWriteBudget()
    session.receive(input, now: now)
    proceed()
  }

  func proceed() {
    taken = 0
    for round in 1...HTTP2Conversation.roundsPerTurn {
      turn()
      session.write(into: &loop.output, limit: HTTP2Conversation.outputLimit, now: now)
      let count = loop.output.count
      connection.flush()
      // nghttp2 may have asked a stream for more although no byte came of it.
      guard count > 0 || session.hasNotices, connection.isDrained, !connection.isClosed else { break }
      // A client and a worker that are both fast would keep the loop from all others.
      if round == HTTP2Conversation.roundsPerTurn { loop.update(on: connection, number: 0).post() }
    }
    if taken == HTTP2Conversation.requestsPerTurn { loop.update(on: connection, number: 0).post() }
    conclude()
  }

  /// A connection of HTTP/2 is read all the time, and is over with its end.
  func peerFinished() {}

  func update(of number: Int32) {
    if number != 0 { deferredUpdates.append(number) }
    if connection.isDrained { proceed() }
  }

  func expired() {
    session.expire(now: now)
    for (id, exchange) in exchanges where exchange.nextHeartbeat <= loop.events.now {
      heartbeat(id, exchange)
    }
    proceed()
  }

  func finish() {
    for exchange in exchanges.values { exchange.answer.finish() }
    session.shutDown(now: now)
    proceed()
  }

  func cancel() {
    for id in Array(exchanges.keys) { end(id, isComplete: false) }
  }

  // MARK: Answers

  /// Does what has become possible.
  private func turn() {
    for notice in session.takeNotices() {
      switch notice {
      case .writable(let id): pull(id)
      case .closed(let id): end(id, isComplete: false)
      }
    }
    let update = deferredUpdates
    deferredUpdates = []
    for id in update { pull(id) }
    while working < HTTP2Conversation.concurrentWork, taken < HTTP2Conversation.requestsPerTurn,
      let incoming = session.nextIncoming()
    {
      taken += 1
      switch incoming {
      case .request(let request, let id): answer(request, id)
      case .refusal(let error, let id):
        loop.recordRefusal(error, peer: connection.peer)
        let trace = loop.beginTrace(nil, peer: connection.peer)
        send(loop.settings.response(for: error), id, trace)
      }
    }
  }

  private func answer(_ request: Request, _ id: HTTP2Session.StreamID) {
    let trace = loop.beginTrace(request, peer: connection.peer)
    switch loop.begin(request, on: connection, number: id) {
    case .ready(let response): send(response, id, trace)
    case .pending(let answer):
      exchanges[id] = Exchange(answer: answer, trace: trace)
      working += 1
      if loop.isStopping { answer.finish() }
      pull(id)
    }
  }

  private func send(_ response: Response, _ id: HTTP2Session.StreamID, _ trace: RequestTrace?) {
    let isLarge = response.body.count >= UnsentBodies.least
    let (response, claim) = isLarge ? loop.admit(response, to: connection.peer) : (response, nil)
    let bytes = session.answer(response, on: id, date: loop.encoder.date, keeping: claim)
    loop.endTrace(trace, status: response.status, bodyBytes: bytes)
  }

  /// How much of a piece is taken. Each stream may have one that its client gives no window for: where there are such
  /// bytes already, little more is added, but enough that a stream that is read goes on.
  private var pieceLimit: Int {
    session.pendingAnswerBytes < HTTP2Conversation.outputLimit
      ? HTTP2Conversation.outputLimit : HTTP2Conversation.smallPiece
  }

  /// Takes the pending response's steps as long as there is room for them.
  private func pull(_ id: HTTP2Session.StreamID) {
    while let exchange = exchanges[id] {
      if exchange.answer.isCut {
        session.reset(id, .enhanceYourCalm)
        return end(id, isComplete: false)
      }
      guard exchange.begun == nil || session.isWritable(id) else { return }
      switch exchange.answer.next(atMost: pieceLimit) {
      case .later: return
      case .whole(let response):
        send(response, id, exchange.trace)
        end(id)
      case .head(let response, let heartbeat):
        exchanges[id]?.begun = response.status
        if exchange.answer.isEndless { working -= 1 }
        exchanges[id]?.heartbeat = heartbeat
        loop.metrics?.openStreams.add(1)
        let isEndless = exchange.answer.isEndless
        guard session.begin(response, on: id, date: loop.encoder.date, isEndless: isEndless) else {
          return end(id)
        }
        recordSent(response.body.count, id)
      case .piece(let piece):
        guard send(piece, id, exchange) else { return end(id, isComplete: false) }
      case .end:
        session.end(id)
        end(id)
      case .refused(let error):
        loop.recordRefusal(error, peer: connection.peer)
        send(loop.settings.response(for: error), id, exchange.trace)
        end(id)
      case .broken:
        guard exchange.begun == nil else {
          session.reset(id, .internalError)
          return end(id, isComplete: false)
        }
        let error = loop.isStopping ? ProtocolError.stopping : .notMade
        send(loop.settings.response(for: error), id, exchange.trace)
        end(id)
      }
    }
  }

  /// Hands a piece over; false if there is no room for it, and so the stream is broken off.
  private func send(_ piece: [UInt8], _ id: HTTP2Session.StreamID, _ exchange: Exchange) -> Bool {
    var claim: UnsentBody?
    // Those of a worker are bounded by its waiting.
    if exchange.answer.isEndless, piece.count >= UnsentBodies.least {
      claim = loop.claim(piece, for: connection.peer)
      guard claim != nil else {
        session.reset(id, .enhanceYourCalm)
        return false
      }
    }
    session.send(piece, on: id, keeping: claim)
    recordSent(piece.count, id)
    return true
  }

  /// Nothing was sent for a while. With a client that has not read the last message there is no need to.
  private func heartbeat(_ id: HTTP2Session.StreamID, _ exchange: Exchange) {
    let bytes = exchange.heartbeat?.bytes ?? []
    let isHeard = session.isWritable(id)
    if isHeard { session.send(bytes, on: id) }
    recordSent(isHeard ? bytes.count : 0, id)
  }

  private func recordSent(_ count: Int, _ id: HTTP2Session.StreamID) {
    exchanges[id]?.bodyBytes += count
    if let heartbeat = exchanges[id]?.heartbeat {
      exchanges[id]?.nextHeartbeat = loop.events.now + heartbeat.interval
    }
  }

  /// The response is handed over completely, or the client is gone. What was sent at once has its trace ended already.
  private func end(_ id: HTTP2Session.StreamID, isComplete: Bool = true) {
    guard let exchange = exchanges.removeValue(forKey: id) else { return }
    if exchange.isWork { working -= 1 }
    exchange.answer.cancel()
    guard let status = exchange.begun else {
      if !isComplete {
        loop.endTrace(exchange.trace, status: .clientGone, bodyBytes: 0, isComplete: false)
      }
      return
    }
    loop.metrics?.openStreams.add(-1)
    loop.endTrace(
      exchange.trace,
      status: status,
      bodyBytes: exchange.bodyBytes,
      isComplete: isComplete,
      isEndless: exchange.answer.isEndless
    )
  }

  /// After each event: ends the connection if that is due, and says until when it waits.
  private func conclude() {
    guard !connection.isClosed else { return }
    if session.isFinished, connection.ending == nil {
      if let failure = session.failure, failure.code != .noError {
        loop.recordRefusal(ProtocolError(.badRequest, "HTTP/2: \(failure.detail)"), peer: connection.peer)
      }
      connection.ending = .linger
    }
    var next = Instant(nanoseconds: session.nextDeadline)
    for exchange in exchanges.values { next = min(next, exchange.nextHeartbeat) }
    deadline = next
  }
}

extension ProtocolError {
  /// A pending response ended before it began.
  static let notMade = ProtocolError(.internalServerError, "the answer could not be made")
  static let stopping = ProtocolError(.serviceUnavailable, "the server stops")
}

extension Status {
  /// As nginx names it in its log: the client has closed the request before there was a response.
  static let clientGone = Status(rawValue: 499)
}
