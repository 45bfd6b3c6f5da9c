import HTTP
import Sockets
import Synchronization

/// One client's connection: reads, has requests answered in their order, writes. It never leaves its loop.
///
/// One request is in progress at a time; those behind it stay unread, in the kernel or as `unparsed`, at most one
/// read's worth. That bounds memory, keeps answers in order, and lets nothing run after a refused request.
/// How requests are parsed and answered is in Connection+Requests.swift.
final class Connection: EventSource {
  /// What happens next. Each stage has its deadline, counted from the stage's begin, however its bytes trickle.
  enum Stage {
    /// Between requests.
    case idle
    /// A request's head is coming in, or the connection is new.
    case head
    /// A request's content is coming in.
    case content
    /// A worker makes the answer.
    case waiting
    /// The client does not read as fast as there is to send.
    case writing
    /// All is sent and our side is closed; what still comes in is dropped.
    case lingering
    case closed
  }

  /// How a connection ends once everything is sent.
  enum Ending {
    /// The client asked for it, and sends no more.
    case close
    /// The client may still be sending. What is closed with bytes unread is reset, and the reset can overtake the
    /// answer, so they are read first (RFC 9112 §9.6).
    case linger
  }

  let loop: ServerLoop
  let peer: SocketAddress
  let socket: Socket
  private(set) var registration: Registration?
  var parser: RequestParser
  /// Input behind a request in progress, and from where it is unparsed.
  var unparsed: [UInt8] = []
  var unparsedStart = 0
  /// Idle, head or content.
  var inputStage = Stage.head
  /// The request in progress on a worker.
  var job: (work: WorkerPool.Job, context: ResponseEncoder.Context)?
  /// A large body of this turn's last answer, not yet sent.
  var freshBody: [UInt8] = []
  var ending: Ending?
  /// The deadline is set anew although the stage is the same: a request was answered, or bytes were sent.
  var restartsDeadline = false

  private var output = Output()
  private var timedStage = Stage.closed
  private var isLingering = false
  private var isClosed = false
  private var drained = 0
  /// Readiness to read was told while nothing could be taken: not asked for again until it can. Only then, as most
  /// answers are sent before the client says anything more, and each change is a system call.
  private var readsArePaused = false

  init(_ accepted: consuming ListeningSocket.Accepted, loop: ServerLoop) {
    peer = accepted.peer
    socket = accepted.takeSocket()
    self.loop = loop
    parser = RequestParser(limits: loop.settings.limits.request)
  }

  /// Starts to serve. Throws if the kernel has no room to watch one more descriptor.
  func start() throws(SystemError) {
    registration = try loop.events.register(self, descriptor: socket.descriptor.rawValue, interest: .readable)
    settle()
  }

  var stage: Stage {
    if isClosed { return .closed }
    if isLingering { return .lingering }
    if !output.isEmpty { return .writing }
    return job == nil ? inputStage : .waiting
  }

  /// Whether a request is in progress, from its first byte to the last one of its answer.
  var isBusy: Bool {
    switch stage {
    case .idle, .lingering, .closed: false
    case .head: !parser.isIdle
    case .content, .waiting, .writing: true
    }
  }

  // MARK: Events

  func ready(_ readiness: Readiness) {
    if readiness.contains(.broken), stage == .waiting || stage == .writing { return close() }
    if readiness.contains(.writable), stage == .writing {
      do throws(SystemError) {
        try output.sendRest(on: socket)
        restartsDeadline = true
      } catch { return close() }
      if output.isEmpty { process() }
    }
    if readiness.contains(.readable) || readiness.contains(.broken) { read() }
    settle()
  }

  func expired() {
    guard stage == .head || stage == .content, !parser.isIdle else { return close() }
    refuse(ProtocolError(.requestTimeout, "the request took too long to arrive"))
    write()
    settle()
  }

  /// The server stops: no more requests after the one in progress. One that is on its way in the kernel is answered.
  func finish() {
    if !isBusy { read() }
    settle()
    if !isBusy, stage != .lingering { close() }
  }

  func close() {
    guard !isClosed else { return }
    isClosed = true
    job?.work.isCancelled.store(true, ordering: .relaxed)
    job = nil
    if let registration { loop.events.deregister(registration) }
    // The loop's reference was the last one: the socket closes when the caller returns.
    loop.remove(self)
  }

  // MARK: Reading and writing

  private func read() {
    switch stage {
    case .idle, .head, .content:
      switch receive() {
      case .bytes(let count): process(UnsafeRawBufferPointer(rebasing: loop.input[..<count]))
      case .end: close()
      case .wouldBlock: break
      }
    case .lingering:
      switch receive() {
      case .bytes(let count):
        drained += count
        // Enough for all that can have been on its way; who goes on sending does not read answers.
        if drained > 4 * 1024 * 1024 { close() }
      case .end: close()
      case .wouldBlock: break
      }
    case .waiting, .writing: readsArePaused = true
    case .closed: break
    }
  }

  /// A broken connection has ended.
  private func receive() -> Socket.Received {
    do throws(SystemError) { return try socket.receive(into: loop.input) } catch { return .end }
  }

  /// Sends what this turn's requests have led to.
  func write() {
    guard !loop.output.isEmpty else { return }
    do throws(SystemError) {
      try output.send(loop.output, body: freshBody, on: socket, at: loop.events.now)
    } catch { close() }
    loop.output.removeAll(keepingCapacity: true)
    freshBody = []
  }

  /// After each event: ends the connection if that is due, says what it waits for next, and until when.
  func settle() {
    if let ending, output.isEmpty, job == nil, !isClosed, !isLingering { end(ending) }
    let stage = stage
    guard stage != .closed, let registration else { return }
    if stage != .waiting, stage != .writing { readsArePaused = false }
    var interest: Interest = readsArePaused ? [] : .readable
    if stage == .writing { interest.insert(.writable) }
    do throws(SystemError) { try loop.events.setInterest(interest, of: registration) } catch {
      return close()
    }
    if stage != timedStage || restartsDeadline {
      timedStage = stage
      restartsDeadline = false
      loop.events.setDeadline(deadline(of: stage), of: registration)
    }
  }

  private func end(_ ending: Ending) {
    if ending == .close {
      // Also a client that asked to close may have sent more.
      guard case .bytes = receive() else { return close() }
    }
    isLingering = true
    socket.shutDownSending()
  }

  private func deadline(of stage: Stage) -> Instant {
    let limits = loop.settings.limits
    let now = loop.events.now
    switch stage {
    case .idle: return now + limits.idle
    case .head: return now + limits.header
    case .content: return now + limits.body
    case .writing: return output.deadline(limits)
    case .lingering: return now + limits.linger
    case .waiting, .closed: return .never
    }
  }
}
