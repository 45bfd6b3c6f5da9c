import Foundation
import Glibc
import Threading

/// A TCP proxy on the loopback interface that does what networks and machines do: cut, stall, swallow, delay, damage.
public final class FaultProxy: Sendable {
  /// Which way bytes flow.
  public enum Direction: Sendable, CaseIterable {
    case toServer
    case toClient
  }

  /// What becomes of bytes.
  public enum Mode: Sendable {
    case forward
    /// Nothing passes, nothing is lost: as a network that is away for a while. New connections are accepted.
    case stall
    /// What comes is accepted and lost: as a peer that hangs while its kernel lives. A connection that has lost
    /// something never forwards again.
    case swallow
    /// As `forward`, but new connections are cut at once.
    case refuse
  }

  /// What to do when a pattern of bytes passes.
  public enum Reaction: Sendable {
    /// Cut both sides: the other side never sees the pattern.
    case cutBefore
    /// Pass it on, and cut once the other side answers, without passing the answer on.
    case cutAfter
  }

  private struct Trigger: Sendable {
    var pattern: [UInt8]
    var direction: Direction
    var reaction: Reaction
    var remaining: Int
  }

  private struct State: Sendable {
    var target: UInt16
    var mode = Mode.forward
    var delayMilliseconds = 0
    var triggers: [Trigger] = []
    var bytesUntilCut: Int?
    /// Addresses in the brokers' answers, which clients connect to.
    var translations: [(from: [UInt8], to: [UInt8])] = []
    var rewrite: (@Sendable (Direction, inout [UInt8]) -> Void)?
    var links: [ObjectIdentifier: Link] = [:]
    var accepted = 0
    var fired = 0
    var isClosed = false
  }

  /// The proxy's port on 127.0.0.1.
  public let port: Int
  private let listener: Listener
  private let state: Lock<State>

  /// Listens on a free port, and connects to `port` of the loopback interface for each connection.
  public init(toPort target: Int) throws {
    state = Lock(State(target: UInt16(target)))
    let listener = try Listener()
    self.listener = listener
    port = Int(listener.port)
    Thread.detachNewThread { [weak self] in
      // The thread, not the proxy, closes the listener: its number may be another socket's a moment later.
      defer { listener.end() }
      while let client = listener.accept() {
        guard let self else {
          Link.reset(client)
          return
        }
        self.take(client)
      }
    }
  }

  /// The proxy to where an address `host:port` or a database URL points; the host must be the loopback interface.
  public convenience init(to address: String) throws {
    guard let port = Self.portOf(address) else { throw TestSupportError("no port in the address") }
    try self.init(toPort: port)
  }

  deinit { close() }

  /// `127.0.0.1:port`
  public var address: String { "127.0.0.1:\(port)" }

  /// A database URL that goes through the proxy instead.
  public func url(_ url: String) -> String {
    guard let port = Self.portOf(url) else { return url }
    return url.replacing(":\(port)/", with: ":\(self.port)/")
  }

  private static func portOf(_ address: String) -> Int? {
    let authority = address.split(separator: "/").first { $0.contains(":") && !$0.hasSuffix(":") }
    return authority?.split(separator: ":").last.flatMap { Int($0) }
  }

  /// Changes what becomes of bytes from now on.
  public func set(_ mode: Mode) { state.withLock { $0.mode = mode } }

  /// Holds each piece of data back for so long, in both directions.
  public func delay(milliseconds: Int) { state.withLock { $0.delayMilliseconds = milliseconds } }

  /// Cuts all connections with a reset.
  public func cut() {
    let links = state.withLock { Array($0.links.values) }
    for link in links { link.reset() }
  }

  /// Cuts the connection over which the so many-th byte from now on flows, before that byte passes.
  public func cut(afterBytes count: Int) { state.withLock { $0.bytesUntilCut = count } }

  /// Reacts when the pattern passes, as often as `times`.
  public func react(to pattern: [UInt8], _ direction: Direction, _ reaction: Reaction, times: Int = 1) {
    state.withLock {
      $0.triggers.append(
        Trigger(pattern: pattern, direction: direction, reaction: reaction, remaining: times)
      )
    }
  }

  /// Makes Kafka clients connect to the proxy. Otherwise they would connect directly: each broker returns the
  /// addresses of itself and its fellows (a string, then the port as a 32-bit number).
  public func standInForBroker() { translate(port: Int(state.withLock { $0.target }), to: port) }

  /// Connects to another server from now on.
  public func retarget(to address: String) throws {
    guard let port = Self.portOf(address) else { throw TestSupportError("no port in the address") }
    state.withLock { $0.target = UInt16(port) }
  }

  /// As `standInForBroker`, for another broker with a proxy of its own.
  public func translate(port: Int, to other: Int) {
    func bytes(_ port: Int) -> [UInt8] {
      Array("127.0.0.1".utf8) + [0, 0, UInt8(port >> 8), UInt8(port & 255)]
    }
    state.withLock { $0.translations.append((bytes(port), bytes(other))) }
  }

  /// Changes each piece of data; nil ends that.
  public func rewrite(_ body: (@Sendable (Direction, inout [UInt8]) -> Void)?) {
    state.withLock { $0.rewrite = body }
  }

  /// What PostgreSQL is sent for COMMIT, alone or behind other statements.
  public static let commitMessage = Array("COMMIT".utf8) + [0]

  /// How often something was cut by `react` or `cut(afterBytes:)`.
  public var fired: Int { state.withLock { $0.fired } }

  /// How many connections were accepted so far.
  public var accepted: Int { state.withLock { $0.accepted } }

  /// How many connections there are.
  public var open: Int { state.withLock { $0.links.count } }

  /// Ends everything.
  public func close() {
    let isFirst = state.withLock { state in
      defer { state.isClosed = true }
      return !state.isClosed
    }
    guard isFirst else { return }
    listener.wake()
    cut()
  }

  // MARK: Connections

  private func take(_ client: Int32) {
    let isRefused = state.withLock { state in
      state.accepted += 1
      return state.mode == .refuse || state.isClosed
    }
    let server = isRefused ? -1 : connect()
    guard server >= 0 else {
      Link.reset(client)
      return
    }
    let link = Link(client: client, server: server)
    state.withLock { $0.links[ObjectIdentifier(link)] = link }
    for direction in Direction.allCases {
      Thread.detachNewThread { [weak self] in
        link.pump(direction) { bytes in self?.pass(&bytes, direction, link) ?? .cut }
        if link.ended() { self?.state.withLock { $0.links[ObjectIdentifier(link)] = nil } }
      }
    }
  }

  private func connect() -> Int32 {
    let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = FreePort.loopback(state.withLock { $0.target })
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard code == 0 else {
      Glibc.close(server)
      return -1
    }
    return server
  }

  /// Decides about a piece of data.
  private func pass(_ bytes: inout [UInt8], _ direction: Direction, _ link: Link) -> Link.Passage {
    let delay = state.withLock { $0.delayMilliseconds }
    if delay > 0 { usleep(UInt32(delay) * 1000) }
    while state.withLock({ $0.mode == .stall && !$0.isClosed }) {
      if link.isReset { return .cut }
      usleep(2000)
    }
    let copy = bytes
    let (passage, rewrite) = state.withLock {
      state -> (Link.Passage, (@Sendable (Direction, inout [UInt8]) -> Void)?) in
      if state.mode == .swallow || link.hasLost { return (.lose, nil) }
      if link.isDoomed { return (.cut, nil) }
      if let left = state.bytesUntilCut {
        if left <= copy.count {
          state.bytesUntilCut = nil
          state.fired += 1
          return (.cut, nil)
        }
        state.bytesUntilCut = left - copy.count
      }
      for index in state.triggers.indices
      where state.triggers[index].remaining > 0 && state.triggers[index].direction == direction
        && copy.contains(state.triggers[index].pattern)
      {
        state.triggers[index].remaining -= 1
        state.fired += 1
        return (state.triggers[index].reaction == .cutBefore ? .cut : .last, nil)
      }
      return (.pass, state.rewrite)
    }
    if passage == .pass, direction == .toClient {
      for (from, to) in state.withLock({ $0.translations }) where bytes.contains(from) {
        bytes.replace(from, with: to)
      }
    }
    rewrite?(direction, &bytes)
    return passage
  }
}

/// The socket that a proxy listens on.
private final class Listener: Sendable {
  let port: UInt16
  private let descriptor: Int32
  private let isOpen = Lock(true)

  init() throws {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw TestSupportError("socket: errno \(errno)") }
    var address = FreePort.loopback(0)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isListening = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, size) == 0 && listen(descriptor, 64) == 0
          && getsockname(descriptor, $0, &size) == 0
      }
    }
    guard isListening else {
      Glibc.close(descriptor)
      throw TestSupportError("no port for a proxy: errno \(errno)")
    }
    self.descriptor = descriptor
    port = UInt16(bigEndian: address.sin_port)
  }

  /// Waits for a connection; nil once `wake` was called.
  func accept() -> Int32? {
    while true {
      let client = Glibc.accept(descriptor, nil, nil)
      if client >= 0 {
        _ = fcntl(client, F_SETFD, FD_CLOEXEC)
        return client
      }
      switch errno {
      case EINTR, ECONNABORTED: continue
      case EMFILE, ENFILE, ENOBUFS, ENOMEM: usleep(10_000)
      default: return nil
      }
    }
  }

  /// Ends `accept`.
  func wake() {
    isOpen.withLock { if $0 { shutdown(descriptor, Int32(SHUT_RDWR)) } }
  }

  /// Closes the socket.
  func end() {
    isOpen.withLock { isOpen in
      if isOpen { close(descriptor) }
      isOpen = false
    }
  }
}

/// One connection through the proxy: two sockets, and a thread for each direction.
private final class Link: Sendable {
  enum Passage {
    case pass
    /// Pass it on, and nothing of the answer.
    case last
    case lose
    case cut
  }

  private struct State {
    var threads = 2
    var isReset = false
    var hasLost = false
    var isDoomed = false
  }

  private let client: Int32
  private let server: Int32
  private let state = Lock(State())

  init(client: Int32, server: Int32) {
    self.client = client
    self.server = server
    for descriptor in [client, server] {
      var on: Int32 = 1
      setsockopt(
        descriptor,
        Int32(IPPROTO_TCP),
        TCP_NODELAY,
        &on,
        socklen_t(MemoryLayout<Int32>.size)
      )
    }
  }

  var isReset: Bool { state.withLock { $0.isReset } }
  var hasLost: Bool { state.withLock { $0.hasLost } }
  var isDoomed: Bool { state.withLock { $0.isDoomed } }

  func pump(_ direction: FaultProxy.Direction, _ decide: (inout [UInt8]) -> Passage) {
    let (from, to) = direction == .toServer ? (client, server) : (server, client)
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = buffer.withUnsafeMutableBytes { recv(from, $0.baseAddress, $0.count, 0) }
      guard count > 0 else {
        if count < 0 { reset() } else { shutdown(to, Int32(SHUT_WR)) }
        return
      }
      var bytes = Array(buffer[..<count])
      switch decide(&bytes) {
      case .lose: state.withLock { $0.hasLost = true }
      case .cut:
        reset()
        return
      case .last:
        state.withLock { $0.isDoomed = true }
        guard send(bytes, to: to) else { return }
      case .pass: guard send(bytes, to: to) else { return }
      }
    }
  }

  private func send(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    var start = 0
    while start < bytes.count {
      let sent = bytes[start...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard sent > 0 else {
        reset()
        return false
      }
      start += sent
    }
    return true
  }

  /// Cuts both sides. The descriptors are closed when both threads have noticed, and not while they are cut: their
  /// numbers may be another connection's a moment later.
  func reset() {
    state.withLock { state in
      guard !state.isReset, state.threads > 0 else { return }
      state.isReset = true
      for descriptor in [client, server] {
        Self.lingerNot(descriptor)
        shutdown(descriptor, Int32(SHUT_RDWR))
      }
    }
  }

  /// A thread has ended.
  /// - Returns: whether it was the last one; the descriptors are closed then.
  func ended() -> Bool {
    state.withLock { state in
      state.threads -= 1
      guard state.threads == 0 else { return false }
      close(client)
      close(server)
      return true
    }
  }

  static func reset(_ descriptor: Int32) {
    lingerNot(descriptor)
    close(descriptor)
  }

  /// So that closing sends a reset instead of an end.
  private static func lingerNot(_ descriptor: Int32) {
    var value = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
  }
}
