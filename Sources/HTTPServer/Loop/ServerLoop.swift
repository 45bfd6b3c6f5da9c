import HTTP
import Threading
import Sockets
import TLS

/// One thread of a server: its event loop, its listener, its connections, and the buffers that these share.
final class ServerLoop {
  /// What other threads send to a loop.
  enum Message: Sendable {
    /// The pending response with this number has an update, if the connection of this registration still exists.
    case update(Registration, Int32)
    /// Finish what is in progress; cut what is not done at the deadline.
    case stop(Instant)
  }

  let settings: ServerSettings
  let spans: Spans
  let metrics: LoopMetrics?
  let events: EventLoop
  let inbox: Inbox<Message>
  /// Where connections read to; used up before the next one reads.
  let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 16)
  /// What TLS makes of the input, and of the output.
  let plaintext: UnsafeMutableRawBufferPointer
  var ciphertext: [UInt8] = []
  /// Where responses are written to, sent before the next connection's turn.
  var output: [UInt8] = []
  var encoder = ResponseEncoder(second: currentSecond())
  private(set) var isStopping = false

  private var listener: Listener?
  private var connections: [ObjectIdentifier: Connection] = [:]
  private var refusals = LogThrottle()
  private var inboxSource: InboxSource?
  private var cut = 0

  init(_ socket: consuming ListeningSocket, settings: ServerSettings) throws(SystemError) {
    self.settings = settings
    spans = Spans(settings.limits)
    let room = settings.certificate == nil ? 0 : input.count + TLSSession.headroom
    plaintext = .allocate(byteCount: room, alignment: 16)
    metrics = settings.metrics?.addLoop()
    events = try EventLoop()
    inbox = try Inbox()
    let source = InboxSource(self)
    source.registration = try events.register(source, descriptor: inbox.descriptor, interest: .readable)
    inboxSource = source
    let listener = Listener(socket, loop: self)
    try listener.start()
    self.listener = listener
  }

  deinit {
    input.deallocate()
    plaintext.deallocate()
  }

  /// Serves until stopped. Returns how many connections were cut at the deadline.
  func run() -> Int {
    events.onTurn = { [unowned self] in encoder.date.update(second: currentSecond()) }
    do throws(SystemError) {
      try events.run()
    } catch {
      settings.observe(.loopFailed(error))
    }
    cutAll()
    return cut
  }

  // MARK: Connections

  /// Serves a connection that the quota has let in.
  func add(_ accepted: consuming ListeningSocket.Accepted) throws(SystemError) {
    let peer = accepted.peer
    do throws(SystemError) {
      let connection = try Connection(accepted, loop: self)
      connections[ObjectIdentifier(connection)] = connection
      metrics?.accepted.add(1)
    } catch {
      settings.quota.release(peer)
      throw error
    }
  }

  // MARK: Requests

  /// What a handler's reply has come to.
  enum Begun {
    case ready(Response)
    case pending(any PendingResponse)
  }

  func update(on connection: Connection, number: Int32) -> ResponseUpdate {
    ResponseUpdate(inbox: inbox, registration: connection.registration, number: number)
  }

  /// Has a request answered. News of a pending response reach the connection's conversation with its `number`.
  func begin(_ request: Request, on connection: Connection, number: Int32) -> Begun {
    let update = update(on: connection, number: number)
    let answer: any PendingResponse
    let isTaken: Bool
    switch settings.handler(request) {
    case .ready(let response): return .ready(response)
    case .blocking(let work):
      let blocking = BlockingResponse(work, settings, update: update)
      (answer, isTaken) = (blocking, blocking.submit(for: ClientNetwork(connection.peer)))
    case .streaming(let work):
      let network = ClientNetwork(connection.peer)
      guard settings.spool.admits(network) else { return refused(.tooMuchToRead, connection) }
      let streaming = StreamingResponse(work, for: network, settings, update: update)
      (answer, isTaken) = (streaming, streaming.submit())
    case .push(let subscribe):
      let pushed = PushedResponse(update: update)
      // What it has computed is asked for by this client.
      CurrentClient.$network.withValue(ClientNetwork(connection.peer)) { subscribe(pushed.channel) }
      (answer, isTaken) = (pushed, true)
    }
    return isTaken ? .pending(answer) : refused(.tooManyWait, connection)
  }

  private func refused(_ error: ProtocolError, _ connection: Connection) -> Begun {
    recordRefusal(error, peer: connection.peer)
    return .ready(settings.response(for: error))
  }

  func remove(_ connection: Connection) {
    connections[ObjectIdentifier(connection)] = nil
    settings.quota.release(connection.peer)
    metrics?.closed.add(1)
    endIfDone()
  }

  /// A large response if there is room to keep it until it is read, else what is said instead.
  func admit(_ response: Response, to peer: SocketAddress) -> (Response, UnsentBody?) {
    let claim = claim(response.body, for: peer)
    return (claim == nil ? settings.response(for: .tooMuchUnsent) : response, claim)
  }

  /// The right to keep a large body until it is read; nil: there is no room for it.
  func claim(_ body: [UInt8], for peer: SocketAddress) -> UnsentBody? {
    let claim = settings.unsent.claim(body)
    if claim == nil { recordRefusal(.tooMuchUnsent, peer: peer) }
    return claim
  }

  func recordRefusal(_ error: ProtocolError, peer: SocketAddress) {
    guard let suppressed = refusals.admit(at: events.now) else { return }
    settings.observe(.refusedRequest(error, peer: peer, suppressed: suppressed))
  }

  func recordRefusal(_ error: TLSError, peer: SocketAddress) {
    guard let suppressed = refusals.admit(at: events.now) else { return }
    settings.observe(.refusedTLS(error, peer: peer, suppressed: suppressed))
  }

  // MARK: Messages

  fileprivate func takeMessages() {
    for message in inbox.take() {
      switch message {
      case .update(let registration, let number):
        (events.source(of: registration) as? Connection)?.update(of: number)
      case .stop(let deadline): stop(at: deadline)
      }
    }
  }

  private func stop(at deadline: Instant) {
    if let registration = inboxSource?.registration { events.setDeadline(deadline, of: registration) }
    guard !isStopping else { return }
    listener?.stop()
    listener = nil
    isStopping = true
    for connection in connections.values { connection.finish() }
    endIfDone()
  }

  private func endIfDone() {
    if isStopping, connections.isEmpty { events.stop() }
  }

  fileprivate func cutAll() {
    isStopping = true
    for connection in connections.values {
      if connection.isBusy { cut += 1 }
      connection.close()
    }
    listener?.stop()
    listener = nil
    if let registration = inboxSource?.registration { events.deregister(registration) }
    inboxSource = nil
    events.stop()
  }
}

/// Wakes its loop for messages; its deadline is that of the stop.
private final class InboxSource: EventSource {
  private unowned let loop: ServerLoop
  var registration: Registration?

  init(_ loop: ServerLoop) {
    self.loop = loop
  }

  func ready(_ readiness: Readiness) { loop.takeMessages() }
  func expired() { loop.cutAll() }
}
