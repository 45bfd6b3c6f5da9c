import Glibc

/// A TCP socket that does not block. Would-block is a result, not an error.
public struct Socket: ~Copyable, Sendable {
  /// What a read came to.
  public enum Received: Sendable, Equatable {
    /// So many bytes, at least one.
    case bytes(Int)
    /// The other side has sent all it will send.
    case end
    /// Nothing has come yet.
    case wouldBlock
  }

  /// What a write came to.
  public enum Sent: Sendable, Equatable {
    /// The kernel took so many bytes.
    case bytes(Int)
    /// It has no room.
    case wouldBlock
  }

  /// The descriptor.
  public let descriptor: FileDescriptor

  /// Takes over the descriptor of a socket that does not block.
  public init(owning descriptor: consuming FileDescriptor) {
    self.descriptor = descriptor
  }

  /// Up to as many bytes as the buffer holds. Throws when the connection is broken.
  public func receive(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Received {
    do {
      let count = try call("recv") { recv(descriptor.rawValue, buffer.baseAddress, buffer.count, 0) }
      return count == 0 ? .end : .bytes(count)
    } catch {
      if error.code == EAGAIN || error.code == EWOULDBLOCK { return .wouldBlock }
      throw error
    }
  }

  /// Both pieces, one after the other, in one system call and without SIGPIPE. Throws when the connection is broken.
  public func send(_ first: RawSpan, _ second: RawSpan = RawSpan()) throws(SystemError) -> Sent {
    do {
      let count = try call(second.isEmpty ? "send" : "sendmsg") {
        first.withUnsafeBytes { first in
          second.isEmpty
            ? Glibc.send(descriptor.rawValue, first.baseAddress, first.count, Int32(MSG_NOSIGNAL))
            : second.withUnsafeBytes { sendBoth(first, $0) }
        }
      }
      return .bytes(count)
    } catch {
      if error.code == EAGAIN || error.code == EWOULDBLOCK { return .wouldBlock }
      throw error
    }
  }

  private func sendBoth(_ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) -> Int {
    withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { pieces in
      // The kernel only reads from these; iovec has no constant form.
      pieces[0] = iovec(iov_base: UnsafeMutableRawPointer(mutating: first.baseAddress), iov_len: first.count)
      pieces[1] = iovec(
        iov_base: UnsafeMutableRawPointer(mutating: second.baseAddress),
        iov_len: second.count
      )
      var message = msghdr()
      message.msg_iov = pieces.baseAddress
      message.msg_iovlen = 2
      return sendmsg(descriptor.rawValue, &message, Int32(MSG_NOSIGNAL))
    }
  }

  /// Says that nothing more will be sent; reading goes on.
  public func shutDownSending() {
    // It fails only for a connection that the other side has already reset, which the next read reports.
    _ = shutdown(descriptor.rawValue, Int32(SHUT_WR))
  }

  /// Makes `close` drop what is not sent, and reset the connection.
  public func resetOnClose() {
    var option = linger(l_onoff: 1, l_linger: 0)
    let size = socklen_t(MemoryLayout.size(ofValue: option))
    // It fails only where there is no connection left to reset.
    _ = setsockopt(descriptor.rawValue, SOL_SOCKET, SO_LINGER, &option, size)
  }

  /// Lets the kernel take no more than so many bytes beyond those that are on their way (tcp(7), TCP_NOTSENT_LOWAT).
  public func limitUnsent(bytes: Int32) {
    // Without it, the response is only less fresh.
    try? setOption(Int32(IPPROTO_TCP), TCP_NOTSENT_LOWAT, bytes, "TCP_NOTSENT_LOWAT")
  }

  /// The address this socket is bound to.
  public func localAddress() throws(SystemError) -> SocketAddress {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    _ = try call("getsockname") {
      withUnsafeMutableBytes(of: &storage) {
        getsockname(descriptor.rawValue, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
      }
    }
    guard let address = SocketAddress(storage) else {
      throw SystemError(call: "getsockname", code: EAFNOSUPPORT)
    }
    return address
  }

  func setOption(_ level: Int32, _ option: Int32, _ value: Int32, _ name: StaticString) throws(SystemError) {
    var value = value
    let size = socklen_t(MemoryLayout<Int32>.size)
    _ = try call("setsockopt \(name)") { setsockopt(descriptor.rawValue, level, option, &value, size) }
  }
}
