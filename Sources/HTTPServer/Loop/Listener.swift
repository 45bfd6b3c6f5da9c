import HTTP
import Threading
import Sockets

/// Takes a loop's share of the new connections.
final class Listener: EventSource {
  /// Connections taken in one turn, so that those that are open are not kept waiting.
  static let connectionsPerTurn = 64
  /// How long none are taken when descriptors or memory have run out. Level-triggered epoll would report the same
  /// waiting connection again and again.
  static let pause = Duration.milliseconds(100)

  private let socket: ListeningSocket
  private unowned let loop: ServerLoop
  private var registration: Registration?
  private var refusals = LogThrottle()
  private var pauses = LogThrottle()

  init(_ socket: consuming ListeningSocket, loop: ServerLoop) {
    self.socket = socket
    self.loop = loop
  }

  func start() throws(SystemError) {
    let descriptor = socket.socket.descriptor.rawValue
    registration = try loop.events.register(self, descriptor: descriptor, interest: .readable)
  }

  func ready(_ readiness: Readiness) {
    accept(atMost: Listener.connectionsPerTurn)
  }

  func expired() {
    setInterest(.readable)
  }

  /// Takes what waits in the kernel, where it would be reset, and then no more.
  func stop() {
    accept(atMost: 4096)
    if let registration { loop.events.deregister(registration) }
    registration = nil
  }

  private func accept(atMost limit: Int) {
    do throws(SystemError) {
      for _ in 0..<limit {
        guard let accepted = try socket.accept() else { return }
        if let met = loop.settings.quota.acquire(accepted.peer) {
          refuse(accepted, met)
        } else {
          try loop.add(accepted)
        }
      }
    } catch {
      setInterest([])
      if let registration { loop.events.setDeadline(loop.events.now + Listener.pause, of: registration) }
      if pauses.admit(at: loop.events.now) != nil { loop.settings.observe(.acceptPaused(error)) }
    }
  }

  private func refuse(_ accepted: consuming ListeningSocket.Accepted, _ met: ConnectionLimit) {
    if let suppressed = refusals.admit(at: loop.events.now) {
      loop.settings.observe(.refusedConnection(met, peer: accepted.peer, suppressed: suppressed))
    }
    loop.metrics?.refused.add(1)
    // Before the handshake, a TLS client understands only that the connection is closed.
    guard loop.settings.certificate == nil else { return }
    let error = ProtocolError(.serviceUnavailable, "too many connections")
    var bytes: [UInt8] = []
    loop.encoder.append(
      loop.settings.response(for: error),
      .init(method: nil, version: .http1_1, persists: false),
      to: &bytes
    )
    // A new socket has room for so little. Whether the client sees it is its own business: nothing is read from it.
    _ = try? accepted.socket.send(bytes.span.bytes)
    accepted.socket.shutDownSending()
  }

  private func setInterest(_ interest: Interest) {
    guard let registration else { return }
    // Changing what is known needs no memory, so it cannot fail.
    try? loop.events.setInterest(interest, of: registration)
  }
}
