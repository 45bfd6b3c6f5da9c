import Glibc
import Threading

/// The socket that a proxy listens on.
final class FaultProxyListener: Sendable {
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
final class FaultProxyLink: Sendable {
  enum Passage {
    case pass
    /// Pass it on, and nothing of the response.
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
