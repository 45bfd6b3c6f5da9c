import HTTP
import Threading
import Sockets

extension HTTP1Conversation {
  /// Has the request answered: at once, or step by step from here on.
  func answer(_ request: Request) {
    let context = ResponseEncoder.Context(
      method: request.method,
      version: request.version,
      persists: request.persists
    )
    connection.beginWriteBudget()
    answered += 1
    lastNumber &+= 1
    let trace = loop.beginTrace(request, peer: connection.peer)
    switch loop.begin(request, on: connection, number: lastNumber) {
    case .ready(let response):
      encode(response, context, trace)
      enter(.idle)
    case .pending(let answer):
      exchange = Exchange(number: lastNumber, answer: answer, context: context, trace: trace)
      enter(.answering)
      if connection.hasPeerFinished { expectDeparture() }
      if loop.isStopping { answer.finish() }
    }
  }

  /// Appends a whole response.
  func encode(_ response: Response, _ context: ResponseEncoder.Context, _ trace: RequestTrace?) {
    guard response.body.count >= UnsentBodies.least, ResponseEncoder.sendsBody(response, context) else {
      return encode(response, nil, context, trace)
    }
    let (response, claim) = loop.admit(response, to: connection.peer)
    encode(response, claim, context, trace)
  }

  private func encode(
    _ response: Response,
    _ claim: UnsentBody?,
    _ context: ResponseEncoder.Context,
    _ trace: RequestTrace?
  ) {
    let wanted = context
    let context = finalContext(wanted, response)
    if let claim {
      loop.encoder.appendHead(of: response, context, .length(response.body.count), to: &loop.output)
      connection.take(response.body, claim)
    } else {
      loop.encoder.append(response, context, to: &loop.output)
    }
    conclude(wanted, context)
    let isSent = ResponseEncoder.sendsBody(response, context)
    loop.endTrace(trace, status: response.status, bodyBytes: isSent ? response.body.count : 0)
  }

  /// Takes the pending response's steps as long as there is room; whether there may be more of them.
  func pull() -> Bool {
    // Most turns have none, and a copy of it is not free.
    guard exchange != nil else { return false }
    while let exchange, connection.isDrained {
      guard loop.output.count < HTTP1Conversation.outputLimit, connection.freshBody.isEmpty else {
        return true
      }
      if owesChunkEnd {
        loop.encoder.appendChunkEnd(to: &loop.output)
        owesChunkEnd = false
      }
      switch exchange.answer.next(atMost: HTTP1Conversation.outputLimit) {
      case .later: return false
      case .whole(let response):
        encode(response, exchange.context, exchange.trace)
        end()
      case .head(let response, let heartbeat): begin(response, heartbeat, exchange)
      case .piece(let piece): append(piece)
      case .end:
        if exchange.begun?.coding == .chunked { loop.encoder.appendLastChunk(to: &loop.output) }
        end()
      case .refused(let error):
        loop.recordRefusal(error, peer: connection.peer)
        encode(loop.settings.response(for: error), exchange.context, exchange.trace)
        end()
      case .broken:
        guard exchange.begun == nil else {
          connection.abort()
          return false
        }
        let error = loop.isStopping ? ProtocolError.stopping : .notMade
        encode(loop.settings.response(for: error), exchange.context, exchange.trace)
        end()
      }
    }
    return false
  }

  /// The client sends no more. It may still read; but one that has gone looks the same, and whose request then waits
  /// for a worker while others do is taken for gone.
  func expectDeparture() {
    guard let exchange, exchange.answer.isQueued else { return }
    enter(.answering, until: loop.events.now + HTTP1Conversation.departure)
  }

  /// Nothing was sent for a while.
  func heartbeat() {
    guard let heartbeat = exchange?.heartbeat else { return }
    append(heartbeat.bytes)
  }

  private func begin(_ response: Response, _ heartbeat: PushChannel.Heartbeat?, _ exchange: Exchange) {
    var exchange = exchange
    let coding: ResponseEncoder.Coding = exchange.context.version == .http1_0 ? .untilClose : .chunked
    var context = finalContext(exchange.context, response)
    if coding == .untilClose { context.persists = false }
    exchange.begun = (response.status, context, coding)
    exchange.heartbeat = heartbeat
    self.exchange = exchange
    loop.metrics?.openStreams.add(1)
    loop.encoder.appendHead(of: response, context, coding, to: &loop.output)
    guard ResponseEncoder.sendsBody(response, context) else { return end() }
    if exchange.answer.isEndless { connection.preferFreshness() }
    append(response.body)
  }

  private func append(_ piece: [UInt8]) {
    guard let exchange else { return }
    self.exchange?.bodyBytes += piece.count
    let isChunked = exchange.begun?.coding == .chunked
    if piece.count >= UnsentBodies.least {
      // What is pushed to many is kept once, however many of them have no room for it.
      // A worker's pieces are bounded by its waiting.
      let claim = exchange.answer.isEndless ? loop.claim(piece, for: connection.peer) : nil
      guard claim != nil || !exchange.answer.isEndless else { return connection.abort() }
      if isChunked { loop.encoder.appendChunkBegin(piece.count, to: &loop.output) }
      owesChunkEnd = isChunked
      connection.take(piece, claim)
    } else if isChunked, !piece.isEmpty {
      // An empty chunk would be the last one.
      loop.encoder.appendChunk(piece, to: &loop.output)
    } else {
      loop.output.append(contentsOf: piece)
    }
    // Each pushed message has a write budget of its own.
    if exchange.answer.isEndless { connection.beginWriteBudget() }
    if let interval = exchange.heartbeat?.interval { enter(.answering, until: loop.events.now + interval) }
  }

  /// The pending response is complete, or will not be.
  func end(isComplete: Bool = true) {
    guard let exchange else { return }
    self.exchange = nil
    exchange.answer.cancel()
    enter(.idle)
    guard let begun = exchange.begun else {
      // What came of it was noted with its response, if there was one.
      if !isComplete {
        loop.endTrace(exchange.trace, status: .clientGone, bodyBytes: 0, isComplete: false)
      }
      return
    }
    conclude(exchange.context, begun.context)
    loop.metrics?.openStreams.add(-1)
    loop.endTrace(
      exchange.trace,
      status: begun.status,
      bodyBytes: exchange.bodyBytes,
      isComplete: isComplete,
      isEndless: exchange.answer.isEndless
    )
  }

  /// What the response says of the connection, in `context`, which says what the request wants.
  private func finalContext(
    _ context: ResponseEncoder.Context,
    _ response: Response
  ) -> ResponseEncoder.Context {
    var context = context
    if loop.isStopping || response.closesConnection { context.persists = false }
    return context
  }

  /// What becomes of the connection after a response has been encoded to its end.
  private func conclude(_ wanted: ResponseEncoder.Context, _ encoded: ResponseEncoder.Context) {
    if !wanted.persists {
      connection.ending = isContentUnread ? .linger : .close
    } else if !encoded.persists || loop.isStopping {
      connection.ending = .linger
    }
  }
}
