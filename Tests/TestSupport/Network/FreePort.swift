import Glibc
import Threading

/// Ports of 127.0.0.1 for servers that tests stop and start again.
///
/// They lie below the range from which the kernel takes the ports of outgoing connections (32768 and above). From
/// inside it, another socket may take the port of a server that is down for a moment; even a client that keeps trying
/// to reach that server may be given the server's own port, and is then connected to itself.
public enum FreePort {
  private static let taken = Lock<Set<UInt16>>([])

  /// A port that is free now, and was given to nothing else in this process.
  public static func take() throws -> UInt16 {
    for _ in 0..<200 {
      let port = UInt16.random(in: 12_000..<20_000)
      if taken.withLock({ $0.insert(port).inserted }), isFree(port) { return port }
    }
    throw TestSupportError("no free port between 12000 and 19999")
  }

  private static func isFree(_ port: UInt16) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { Glibc.close(descriptor) }
    var address = loopback(port)
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
  }

  static func loopback(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return address
  }
}
