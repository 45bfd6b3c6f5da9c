import Glibc
import Threading
import Sockets
import Testing

@Suite("a listening socket")
struct ListeningSocketTests {
  private func option(_ level: Int32, _ name: Int32, of socket: borrowing Socket) -> Int32 {
    var value: Int32 = -1
    var size = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(socket.descriptor.rawValue, level, name, &value, &size)
    return value
  }

  @Test(
    "several share a port that the first one was given by the kernel, and accepted sockets inherit its options"
  )
  func sharing() throws {
    let first = try ListeningSocket(at: .loopback(), sharesPort: true, userTimeout: .seconds(3))
    let address = try first.socket.localAddress()
    #expect(address.port != 0)
    let second = try ListeningSocket(at: address, sharesPort: true, userTimeout: .seconds(3))
    #expect(try second.socket.localAddress() == address)
    let client = try connected(to: address)
    defer { close(client) }
    let socket = try firstConnection(of: first, or: second)
    #expect(option(Int32(IPPROTO_TCP), TCP_NODELAY, of: socket) == 1)
    #expect(option(Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, of: socket) == 3000)
    #expect(fcntl(socket.descriptor.rawValue, F_GETFD) & FD_CLOEXEC != 0)
  }

  @Test("a port with a listener is refused, even if it may be shared")
  func requireFree() throws {
    let listener = try ListeningSocket(at: .loopback(), sharesPort: true, userTimeout: .seconds(3))
    let address = try listener.socket.localAddress()
    #expect { try ListeningSocket.requireFree(address) } throws: { ($0 as? SystemError)?.code == EADDRINUSE }
    #expect { try ListeningSocket.requireFree(address) } throws: { error in
      "\(error)".hasPrefix("bind \(address): Address already in use")
    }
  }

  @Test("has nothing to accept while no client connects, and reads would-block as a result")
  func wouldBlock() throws {
    let listener = try ListeningSocket(at: .loopback(), sharesPort: false, userTimeout: .seconds(3))
    #expect(try listener.accept() == nil)
    let client = try connected(to: listener.socket.localAddress())
    let socket = try firstConnection(of: listener, or: listener)
    var buffer = [UInt8](repeating: 0, count: 8)
    #expect(try buffer.withUnsafeMutableBytes { try socket.receive(into: $0) } == .wouldBlock)
    #expect(send(client, "abc", 3, 0) == 3)
    #expect(try buffer.withUnsafeMutableBytes { try socket.receive(into: $0) } == .bytes(3))
    #expect(try socket.send(([1, 2] as [UInt8]).span.bytes, ([3, 4, 5] as [UInt8]).span.bytes) == .bytes(5))
    #expect(recv(client, &buffer, 8, 0) == 5)
    #expect(buffer.prefix(5).elementsEqual([1, 2, 3, 4, 5]))
    close(client)
    #expect(try buffer.withUnsafeMutableBytes { try socket.receive(into: $0) } == .end)
  }

  @Test("a write to a connection that was reset is an error, not a signal")
  func noSignal() throws {
    let listener = try ListeningSocket(at: .loopback(), sharesPort: false, userTimeout: .seconds(3))
    let client = try connected(to: listener.socket.localAddress())
    let socket = try firstConnection(of: listener, or: listener)
    var linger = linger(l_onoff: 1, l_linger: 0)
    setsockopt(client, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
    close(client)
    #expect(throws: SystemError.self) {
      for _ in 0..<2 { _ = try socket.send(([1] as [UInt8]).span.bytes) }
    }
  }
}

/// A blocking client socket.
func connected(to address: SocketAddress) throws -> Int32 {
  let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  var system = sockaddr_in()
  system.sin_family = sa_family_t(AF_INET)
  system.sin_port = address.port.bigEndian
  system.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  let result = withUnsafeBytes(of: system) {
    connect(client, $0.assumingMemoryBound(to: sockaddr.self).baseAddress, socklen_t($0.count))
  }
  try #require(client >= 0 && result == 0, "connect: \(errno)")
  return client
}

private struct NoConnection: Error {}

/// The connection that waits at one of the two; on loopback it does when `connect` has returned.
private func firstConnection(
  of first: borrowing ListeningSocket,
  or second: borrowing ListeningSocket
) throws -> Socket {
  if let accepted = try first.accept() {
    #expect(accepted.peer.host == [127, 0, 0, 1])
    return accepted.takeSocket()
  }
  guard let accepted = try second.accept() else { throw NoConnection() }
  return accepted.takeSocket()
}
