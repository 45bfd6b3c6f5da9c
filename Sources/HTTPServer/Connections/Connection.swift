import HTTP
import Threading
import Sockets
import TLS

/// One client's connection: its socket, what is still to be sent, its deadlines, and its end. It never leaves its loop.
///
/// What the bytes mean is the business of its `conversation`. Bytes pass here on their way in (`read`) and out
/// (`flush`), and nowhere else: what encrypts them stands in these two functions, and in Connection+TLS.swift.
final class Connection: EventSource {
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
  private(set) var registration: Registration
  /// Nil before the protocol is known and after the end.
  var conversation: (any Conversation)?
  /// A large body that is to be sent after `loop.output`, without being copied behind it.
  var freshBody: [UInt8] = []
  /// It, until all of it is sent.
  var unsentBody: UnsentBody?
  var ending: Ending?
  private(set) var isClosed = false

  let socket: Socket
  var output: Output
  /// Nil in plain text.
  let tls: TLSTransport?
  /// Until when the bytes that identify the protocol must have come.
  private let openingDeadline: Instant
  /// Such bytes, until they identify it.
  private var opening: [UInt8] = []
  private var timer = Instant.never
  /// Set while what still comes in is dropped: all is sent and our side is closed.
  private var lingerDeadline: Instant?
  private var drained = 0
  /// A readiness to read was reported while nothing could be taken: not asked for again until it can. Only then, as
  /// most responses are sent before the client says anything more, and each change is a system call.
  private var readsArePaused = false

  /// The client has ended its side. Noticed while nothing is read.
  private(set) var hasPeerFinished = false

  /// Starts to serve. Throws if the kernel has no room to watch one more descriptor.
  init(_ accepted: consuming ListeningSocket.Accepted, loop: ServerLoop) throws(SystemError) {
    peer = accepted.peer
    socket = accepted.takeSocket()
    self.loop = loop
    output = Output(loop.spans)
    registration = .none
    let limits = loop.settings.limits
    tls = loop.settings.certificate.map { TLSTransport($0.current) }
    openingDeadline = loop.events.now + (tls == nil ? limits.header : limits.handshake)
    let descriptor = socket.descriptor.rawValue
    registration = try loop.events.register(self, descriptor: descriptor, interest: .readable)
    updateInterest()
  }

  /// Whether nothing waits to be sent.
  var isDrained: Bool { output.isEmpty }

  /// Whether a request is in progress, from its first byte to the last one of its response.
  var isBusy: Bool {
    guard !isClosed, lingerDeadline == nil else { return false }
    return !output.isEmpty || conversation?.isBusy ?? false
  }

  private var takesInput: Bool {
    lingerDeadline != nil || (ending == nil && conversation?.takesInput ?? true)
  }

  // MARK: Events

  func ready(_ readiness: Readiness) {
    if readiness.contains(.broken), !takesInput { return close() }
    if readiness.contains(.writable), !output.isEmpty {
      do throws(SystemError) {
        try output.sendRest(on: socket, at: loop.events.now, loop.spans)
      } catch { return close() }
      if output.isEmpty, tls != nil { sendEncrypted() }
      if output.isEmpty {
        unsentBody = nil
        conversation?.proceed()
      }
    }
    if readiness.contains(.peerFinished), readsArePaused, !hasPeerFinished {
      hasPeerFinished = true
      conversation?.peerFinished()
    }
    if readiness.contains(.readable) || readiness.contains(.broken) { read() }
    updateInterest()
  }

  func expired() {
    timer = .never
    guard lingerDeadline == nil, let conversation else { return close() }
    // Of a client that does not read, the kernel need not keep what it has been given either.
    guard output.isEmpty else { return abort() }
    conversation.expired()
    updateInterest()
  }

  /// A pending response has something new.
  func update(of number: Int32) {
    conversation?.update(of: number)
    updateInterest()
  }

  /// The server stops: no more requests after the one in progress. One that is on its way in the kernel is answered.
  func finish() {
    if !isBusy { read() }
    conversation?.finish()
    updateInterest()
    if !isBusy, lingerDeadline == nil { close() }
  }

  func close() {
    guard !isClosed else { return }
    isClosed = true
    sayGoodbye()
    conversation?.cancel()
    loop.events.deregister(registration)
    // The loop's reference was the last one: the socket closes when the caller returns.
    loop.remove(self)
  }

  /// Closes with a reset, so that a response that lacks its end does not look whole, whatever delimits it.
  func abort() {
    tls?.isOver = true
    socket.resetOnClose()
    close()
  }

  // MARK: Bytes in and out

  private func read() {
    guard !isClosed else { return }
    guard takesInput else {
      readsArePaused = true
      return
    }
    switch receive() {
    case .bytes(let count):
      if lingerDeadline == nil {
        let bytes = UnsafeRawBufferPointer(rebasing: loop.input[..<count])
        if tls == nil { take(bytes) } else { takeEncrypted(bytes) }
      } else {
        drained += count
        // Enough for all that can have been on its way; a client that goes on sending does not read responses.
        if drained > 4 * 1024 * 1024 { close() }
      }
    case .end: close()
    case .wouldBlock: break
    }
  }

  /// Takes plain bytes. The first ones identify the protocol, where TLS has not.
  private func take(_ bytes: UnsafeRawBufferPointer) {
    if let conversation { return conversation.receive(bytes) }
    if opening.isEmpty, !HTTP2Conversation.mayBegin(with: bytes) {
      conversation = HTTP1Conversation(self)
      conversation?.receive(bytes)
      return
    }
    opening.append(contentsOf: bytes)
    opening.withUnsafeBytes { bytes in
      if HTTP2Conversation.begins(with: bytes) {
        conversation = HTTP2Conversation(self)
      } else if !HTTP2Conversation.mayBegin(with: bytes) {
        conversation = HTTP1Conversation(self)
      }
    }
    guard let conversation else { return }
    let first = opening
    opening = []
    first.withUnsafeBytes { conversation.receive($0) }
  }

  /// A broken connection has ended.
  private func receive() -> Socket.Received {
    do throws(SystemError) {
      let received = try socket.receive(into: loop.input)
      if case .bytes(let count) = received { loop.metrics?.received.add(count) }
      return received
    } catch { return .end }
  }

  /// Sends what the conversation has put into `loop.output` and `freshBody`; what the kernel does not take is kept.
  func flush() {
    guard !loop.output.isEmpty || !freshBody.isEmpty else { return }
    loop.metrics?.sent.add(loop.output.count + freshBody.count)
    if !isClosed {
      if let tls {
        tls.add(loop.output, body: freshBody, into: &loop.ciphertext)
        sendEncrypted()
      } else {
        send(loop.output, body: freshBody)
      }
    }
    loop.output.removeAll(keepingCapacity: true)
    freshBody = []
    if isDrained || isClosed { unsentBody = nil }
  }

  /// Has a large body follow `loop.output`.
  func take(_ body: [UInt8], _ claim: UnsentBody?) {
    freshBody = body
    unsentBody = claim
  }

  /// Sends bytes as they are.
  func send(_ bytes: [UInt8], body: [UInt8] = []) {
    do throws(SystemError) {
      try output.send(bytes, body: body, on: socket, at: loop.events.now, loop.spans)
    } catch { close() }
  }

  /// The next response begins, with a write budget of its own.
  func beginWriteBudget() { output.beginWriteBudget(loop.spans) }

  /// Has the kernel hold little that is not on its way yet: what is to be sent next should still be new then.
  func preferFreshness() { socket.limitUnsent(bytes: 16 * 1024) }

  /// After each event: ends the connection if that is due, says what it waits for next, and until when.
  private func updateInterest() {
    if tls?.isClosedByPeer == true, ending == nil, !isBusy { ending = .close }
    if let ending, output.isEmpty, lingerDeadline == nil, !isClosed { end(ending) }
    guard !isClosed else { return }
    if takesInput { readsArePaused = false }
    var interest: Interest = !readsArePaused ? .readable : hasPeerFinished ? [] : .peerFinished
    if !output.isEmpty { interest.insert(.writable) }
    do throws(SystemError) { try loop.events.setInterest(interest, of: registration) } catch {
      return close()
    }
    let due = lingerDeadline ?? (output.isEmpty ? conversation?.deadline ?? openingDeadline : output.deadline)
    if due != timer {
      timer = due
      loop.events.setDeadline(due, of: registration)
    }
  }

  private func end(_ ending: Ending) {
    sayGoodbye()
    if ending == .close {
      // Also a client that asked to close may have sent more.
      guard case .bytes = receive() else { return close() }
    }
    lingerDeadline = loop.events.now + loop.spans.linger
    socket.shutDownSending()
  }
}
