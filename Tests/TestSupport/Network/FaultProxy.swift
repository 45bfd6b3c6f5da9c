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
    /// Pass it on, and cut once the other side answers, without passing the response on.
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
    var links: [ObjectIdentifier: FaultProxyLink] = [:]
    var accepted = 0
    var fired = 0
    var isClosed = false
  }

  /// The proxy's port on 127.0.0.1.
  public let port: Int
  private let listener: FaultProxyListener
  private let state: Lock<State>

  /// Listens on a free port, and connects to `port` of the loopback interface for each connection.
  public init(toPort target: Int) throws {
    state = Lock(State(target: UInt16(target)))
    let listener = try FaultProxyListener()
    self.listener = listener
    port = Int(listener.port)
    Thread.detachNewThread { [weak self] in
      // The thread, not the proxy, closes the listener: its number may be another socket's a moment later.
      defer { listener.end() }
      while let client = listener.accept() {
        guard let self else {
          FaultProxyLink.reset(client)
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
      FaultProxyLink.reset(client)
      return
    }
    let link = FaultProxyLink(client: client, server: server)
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
  private func pass(_ bytes: inout [UInt8], _ direction: Direction, _ link: FaultProxyLink)
    -> FaultProxyLink.Passage
  {
    let delay = state.withLock { $0.delayMilliseconds }
    if delay > 0 { usleep(UInt32(delay) * 1000) }
    while state.withLock({ $0.mode == .stall && !$0.isClosed }) {
      if link.isReset { return .cut }
      usleep(2000)
    }
    let copy = bytes
    let (passage, rewrite) = state.withLock {
      state -> (FaultProxyLink.Passage, (@Sendable (Direction, inout [UInt8]) -> Void)?) in
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
