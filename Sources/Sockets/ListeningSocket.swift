import CLinux
import Glibc

/// A TCP socket that takes connections.
public struct ListeningSocket: ~Copyable, Sendable {
  /// A connection and the address of its client.
  public struct Accepted: ~Copyable, Sendable {
    /// The connection.
    public let socket: Socket
    /// The other end.
    public let peer: SocketAddress

    /// The connection itself, given away.
    public consuming func takeSocket() -> Socket { socket }
  }

  /// The socket.
  public let socket: Socket

  /// Listens at `address`. Several sockets may, if each says `sharesPort`: the kernel spreads the connections over
  /// them (SO_REUSEPORT, Linux 3.9).
  ///
  /// Accepted sockets inherit what is set here, which saves a system call each: TCP_NODELAY, as responses must not wait
  /// for acknowledgements (Nagle's algorithm), and TCP_USER_TIMEOUT, which bounds how long sent bytes
  /// may stay unacknowledged, so that a peer that vanished does not hold kernel memory; and TCP_NOTSENT_LOWAT, so that
  /// one that reads slowly holds little of it.
  public init(
    at address: SocketAddress,
    sharesPort: Bool,
    backlog: Int32 = 4096,
    userTimeout: Duration
  ) throws(SystemError) {
    let socket = try ListeningSocket.bound(to: address, sharesPort: sharesPort)
    try socket.setOption(Int32(IPPROTO_TCP), TCP_NODELAY, 1, "TCP_NODELAY")
    let milliseconds = Int32(min(userTimeout, .seconds(86_400)) / .milliseconds(1))
    try socket.setOption(Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, milliseconds, "TCP_USER_TIMEOUT")
    socket.limitUnsent(bytes: 128 * 1024)
    let descriptor = socket.descriptor.rawValue
    _ = try call("listen \(address)") { listen(descriptor, backlog) }
    self.socket = socket
  }

  /// Throws EADDRINUSE when a socket listens at `address`. Sockets that share a port would not notice another process
  /// of the same user there, and each would get a part of the connections.
  public static func requireFree(_ address: SocketAddress) throws(SystemError) {
    _ = try bound(to: address, sharesPort: false)
  }

  /// The next waiting connection, or nil. A connection that broke while it waited is skipped.
  public func accept() throws(SystemError) -> Accepted? {
    while true {
      var storage = sockaddr_storage()
      var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
      do {
        let descriptor = try call("accept4") {
          withUnsafeMutableBytes(of: &storage) {
            accept4(
              socket.descriptor.rawValue,
              $0.baseAddress?.assumingMemoryBound(to: sockaddr.self),
              &length,
              Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
            )
          }
        }
        let accepted = Socket(owning: FileDescriptor(owning: descriptor))
        if let peer = SocketAddress(storage) { return Accepted(socket: accepted, peer: peer) }
      } catch {
        if error.code == EAGAIN || error.code == EWOULDBLOCK { return nil }
        // accept(2): errors already pending on the new connection are passed on as accept's own.
        guard
          [ECONNABORTED, EPROTO, ENETDOWN, EHOSTDOWN, EHOSTUNREACH, ENETUNREACH, EPERM].contains(error.code)
        else {
          throw error
        }
      }
    }
  }

  private static func bound(to address: SocketAddress, sharesPort: Bool) throws(SystemError) -> Socket {
    let family = address.isIPv6 ? AF_INET6 : AF_INET
    let type = SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue
    let number = try call("socket") { Glibc.socket(family, Int32(type), 0) }
    let socket = Socket(owning: FileDescriptor(owning: number))
    // A restarted server must not wait for the old connections' TIME_WAIT.
    try socket.setOption(SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR")
    if sharesPort { try socket.setOption(SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT") }
    _ = try call("bind \(address)") { address.withSystemAddress { bind(number, $0, $1) } }
    return socket
  }
}
