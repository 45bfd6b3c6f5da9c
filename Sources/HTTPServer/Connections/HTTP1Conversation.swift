import HTTP
import Threading
import Sockets

/// HTTP/1.1 (RFC 9112): requests are answered one at a time, in their order.
///
/// Those behind the one in progress stay unread, in the kernel or as `unparsed`, at most one read's worth. That bounds
/// memory, keeps responses in order, and lets nothing run after a refused request. How responses are sent is in
/// HTTP1Conversation+Responses.swift.
final class HTTP1Conversation: Conversation {
  /// What happens next. Each stage has its deadline, counted from its beginning, however its bytes trickle.
  enum Stage {
    /// Between requests.
    case idle
    /// A request's head is coming in, or the connection is new.
    case head
    /// A request's content is coming in.
    case content
    /// A response is being made.
    case answering
  }

  /// A request whose response is being made.
  struct Exchange {
    let number: Int32
    let answer: any PendingResponse
    /// What the request wants.
    let context: ResponseEncoder.Context
    /// What the head said, once it is sent, and how the body is delimited.
    var begun: (status: Status, context: ResponseEncoder.Context, coding: ResponseEncoder.Coding)?
    var heartbeat: PushChannel.Heartbeat?
    let trace: RequestTrace?
    var bodyBytes = 0
  }

  /// Output beyond which no further request is parsed until it is sent.
  static let outputLimit = 64 * 1024
  /// How often in one turn a response in pieces may fill the output.
  static let roundsPerTurn = 4
  /// How long a request may wait for a worker behind the end of what its client sends.
  static let departure = Duration.seconds(1)
  /// Requests of one connection that are answered before those of others have their turn.
  private static let answersPerTurn = 16

  /// It owns this conversation, and ends after it; counting references to it for each use would cost more than parsing.
  unowned(unsafe) let connection: Connection
  let loop: ServerLoop
  var parser: RequestParser
  var exchange: Exchange?
  var lastNumber: Int32 = 0
  /// The bytes of a chunk went, or go, from where they are; its end is still to be said.
  var owesChunkEnd = false
  /// Requests that were taken in this turn.
  var answered = 0
  private(set) var deadline: Instant
  private(set) var stage = Stage.head

  /// The request in progress, which is the last one, was answered without its content.
  private(set) var isContentUnread = false

  /// Input behind a request in progress, and from where it is unparsed.
  private var unparsed: [UInt8] = []
  private var unparsedStart = 0

  init(_ connection: Connection) {
    self.connection = connection
    loop = connection.loop
    parser = RequestParser(limits: loop.settings.limits.request)
    deadline = loop.events.now + loop.settings.limits.header
  }

  var isBusy: Bool {
    switch stage {
    case .idle: false
    case .head: !parser.isIdle
    case .content, .answering: true
    }
  }

  var takesInput: Bool {
    if exchange?.begun != nil, exchange?.answer.isEndless == true {
      // A client that only listens: the end of its side says that it is gone. What it sends besides is for later.
      return unparsed.isEmpty && connection.isDrained
    }
    return canParse
  }

  // MARK: Events

  func receive(_ input: UnsafeRawBufferPointer) {
    answered = 0
    if canParse, unparsedStart == unparsed.count {
      let used = parse(input.bindMemory(to: UInt8.self).span, from: 0)
      if used < input.count { keep(Array(input[used...])) }
    } else {
      keep(Array(unparsed[unparsedStart...]) + input)
    }
    goOn()
  }

  func proceed() {
    answered = 0
    goOn()
  }

  private func goOn() {
    var rounds = 0
    while true {
      let hasMore = pull()
      connection.flush()
      guard connection.isDrained, !connection.isClosed else { return }
      if hasMore {
        rounds += 1
        if rounds < HTTP1Conversation.roundsPerTurn { continue }
        // A client and a worker that are both fast would keep the loop from all others.
        if let exchange { loop.update(on: connection, number: exchange.number).post() }
        return
      }
      if stage == .idle { enter(.idle) }
      guard unparsedStart < unparsed.count else {
        answered = 0
        return
      }
      guard canParse else {
        if answered == HTTP1Conversation.answersPerTurn { loop.update(on: connection, number: 0).post() }
        return
      }
      let rest = unparsed
      unparsedStart = parse(rest.span, from: unparsedStart)
      if unparsedStart == rest.count || connection.ending != nil {
        keep(unparsedStart == rest.count ? [] : rest)
      }
    }
  }

  func peerFinished() { expectDeparture() }

  func update(of number: Int32) {
    if let exchange, exchange.number == number, exchange.answer.isCut { return connection.abort() }
    if number == 0 || exchange?.number == number, connection.isDrained { proceed() }
  }

  func expired() {
    switch stage {
    case .idle: connection.close()
    case .head where parser.isIdle: connection.close()
    case .head, .content:
      refuse(ProtocolError(.requestTimeout, "the request took too long to arrive"))
      connection.flush()
    case .answering:
      if connection.hasPeerFinished, exchange?.answer.isQueued == true { return connection.close() }
      if exchange?.heartbeat == nil { return enter(.answering) }
      heartbeat()
      connection.flush()
    }
  }

  func finish() {
    exchange?.answer.finish()
    proceed()
  }

  func cancel() { end(isComplete: false) }

  // MARK: Parsing

  func enter(_ stage: Stage, until deadline: Instant? = nil) {
    let spans = loop.spans
    self.stage = stage
    switch stage {
    case .idle: self.deadline = loop.events.now + spans.idle
    case .head: self.deadline = loop.events.now + spans.header
    case .content: self.deadline = loop.events.now + spans.body
    case .answering: self.deadline = deadline ?? .never
    }
  }

  /// Answers with an error and ends the connection. What was sent behind it is never looked at.
  func refuse(_ error: ProtocolError) {
    loop.recordRefusal(error, peer: connection.peer)
    let context = ResponseEncoder.Context(method: parser.method, version: .http1_1, persists: false)
    encode(loop.settings.response(for: error), context, loop.beginTrace(nil, peer: connection.peer))
    connection.ending = .linger
  }

  private var canParse: Bool {
    exchange == nil && connection.ending == nil && !isContentUnread
      && answered < HTTP1Conversation.answersPerTurn
      && loop.output.count < HTTP1Conversation.outputLimit
      && connection.freshBody.isEmpty && connection.isDrained
  }

  /// Returns up to where the input is used.
  private func parse(_ input: Span<UInt8>, from start: Int) -> Int {
    var position = start
    while canParse {
      switch parser.parse(input, from: &position) {
      case .needMore:
        if parser.isReadingContent {
          if stage != .content { enter(.content) }
        } else if !parser.isIdle, stage != .head {
          enter(.head)
        }
        return position
      case .content(let request, let expectsContinue): admit(request, expectsContinue)
      case .request(let request): answer(request)
      case .failure(let error): refuse(error)
      }
    }
    return position
  }

  /// Content follows: reads it where it is of use. Elsewhere the response says all there is to say, and the connection
  /// ends, as it is unknown where the next request would begin (RFC 9110 §9.3.1, RFC 9112 §9.6).
  private func admit(_ request: Request, _ expectsContinue: Bool) {
    let limit = loop.settings.contentLimit(request)
    guard limit > 0 else {
      var request = request
      request.persists = false
      isContentUnread = true
      return answer(request)
    }
    do throws(ProtocolError) { try parser.admitContent(upTo: limit) } catch { return refuse(error) }
    if expectsContinue { loop.output.append(contentsOf: ResponseEncoder.continueBytes) }
  }

  /// Keeps input for later; of a connection that ends it only matters that there was more.
  private func keep(_ input: [UInt8]) {
    unparsedStart = 0
    unparsed = connection.ending == nil ? input : []
    if connection.ending != nil, !input.isEmpty { connection.ending = .linger }
  }
}
