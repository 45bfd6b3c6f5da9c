import HTTP
import Sockets

extension Connection {
  /// Output beyond which no further request is parsed until it is sent.
  static let outputLimit = 64 * 1024
  /// A body from this size on is sent from where it is instead of being copied behind its head.
  static let largeBody = 32 * 1024

  /// Parses and answers, then sends; and again as long as something is unparsed and there is room to answer.
  func process(_ input: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)) {
    if !input.isEmpty {
      let used = parse(input.bindMemory(to: UInt8.self).span, from: 0)
      if used < input.count { keep(Array(input[used...])) }
    }
    write()
    while canParse, unparsedStart < unparsed.count {
      let rest = unparsed
      unparsedStart = parse(rest.span, from: unparsedStart)
      if unparsedStart == rest.count || ending != nil { keep(unparsedStart == rest.count ? [] : rest) }
      write()
    }
  }

  /// The worker's answer has come.
  func complete(_ response: Response) {
    guard let context = job?.context else { return }
    job = nil
    encode(response, context)
    process()
    settle()
  }

  /// Answers with an error and ends the connection. What was sent behind it is never looked at.
  func refuse(_ error: ProtocolError) {
    loop.noteRefusal(error, peer: peer)
    let context = ResponseEncoder.Context(method: parser.method, version: .http1_1, persists: false)
    encode(loop.settings.response(for: error), context)
    ending = .linger
  }

  private var canParse: Bool {
    switch stage {
    case .idle, .head, .content:
      ending == nil && loop.output.count < Connection.outputLimit && freshBody.isEmpty
    case .waiting, .writing, .lingering, .closed: false
    }
  }

  /// Returns up to where the input is used.
  private func parse(_ input: Span<UInt8>, from start: Int) -> Int {
    var position = start
    while canParse {
      switch parser.parse(input, from: &position) {
      case .needMore:
        if parser.isReadingContent {
          inputStage = .content
        } else if !parser.isIdle {
          inputStage = .head
        }
        return position
      case .expectsContinue: loop.output.append(contentsOf: ResponseEncoder.continueBytes)
      case .request(let request):
        inputStage = .idle
        restartsDeadline = true
        answer(request)
      case .failure(let error): refuse(error)
      }
    }
    return position
  }

  /// Keeps input for later; of a connection that ends it only matters that there was more.
  private func keep(_ input: [UInt8]) {
    unparsedStart = 0
    unparsed = ending == nil ? input : []
    if ending != nil, !input.isEmpty { ending = .linger }
  }

  private func answer(_ request: Request) {
    let context = ResponseEncoder.Context(
      method: request.method,
      version: request.version,
      persists: request.persists
    )
    switch loop.settings.handler(request) {
    case .ready(let response): encode(response, context)
    case .streaming, .push:
      encode(loop.settings.response(for: ProtocolError(.notImplemented, "not served yet")), context)
    case .blocking(let work):
      guard let registration else { return }
      let job = WorkerPool.Job(work: work) { [inbox = loop.inbox] in inbox.post(.response($0, registration)) }
      guard loop.settings.workers.submit(job) else {
        let error = ProtocolError(.serviceUnavailable, "too many requests wait for an answer")
        loop.noteRefusal(error, peer: peer)
        return encode(loop.settings.response(for: error), context)
      }
      self.job = (job, context)
    }
  }

  private func encode(_ response: Response, _ context: ResponseEncoder.Context) {
    var context = context
    if !context.persists {
      ending = .close
    } else if loop.isStopping || response.closesConnection {
      context.persists = false
      ending = .linger
    }
    if response.body.count >= Connection.largeBody, ResponseEncoder.sendsBody(response, context) {
      loop.encoder.appendHead(of: response, context, to: &loop.output)
      freshBody = response.body
    } else {
      loop.encoder.append(response, context, to: &loop.output)
    }
  }
}
