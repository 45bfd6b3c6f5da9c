import Foundation
import Glibc
import TestSupport
import Testing

/// A proxy's connections are cut from other threads than those that carry them.
@Suite("Fault proxy")
struct FaultProxyTests {
  @Test("a cut harms no socket but the connection's, whose descriptors may be another's a moment later")
  func strangers() async throws {
    try await onOwnThread { findings in
      let server = try ClosingServer()
      let proxy = try FaultProxy(toPort: server.port)
      let isDone = Flag()
      defer {
        isDone.set()
        proxy.close()
      }
      for _ in 0..<8 {
        Thread.detachNewThread {
          while !isDone.isSet, let descriptor = ClosingServer.connect(to: proxy.port) {
            Self.readToEnd(descriptor)
          }
        }
      }
      for _ in 0..<2 {
        Thread.detachNewThread {
          while !isDone.isSet {
            proxy.cut()
            usleep(300)
          }
        }
      }
      var harmed = 0
      var deadline = ProgressDeadline(.seconds(20))
      // About 2 in 10,000 cuts hit a stranger when the descriptors were not held.
      while proxy.accepted < 10_000, harmed == 0 {
        deadline.look("\(proxy.accepted) connections")
        if deadline.isOver { throw TestSupportError(deadline.verdict) }
        harmed += Self.harmedStrangers()
      }
      findings.expect(harmed == 0, "\(harmed) of other sockets were shut down")
    }
  }

  /// Opens some sockets that nothing sends to, and looks a moment later how many say that they have ended.
  private static func harmedStrangers() -> Int {
    var descriptors: [Int32] = []
    for _ in 0..<4 {
      var pair: [Int32] = [-1, -1]
      let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
      if socketpair(AF_UNIX, type, 0, &pair) == 0 { descriptors += pair }
    }
    defer { for descriptor in descriptors { close(descriptor) } }
    usleep(100)
    return descriptors.count { descriptor in
      var byte: UInt8 = 0
      return recv(descriptor, &byte, 1, Int32(MSG_DONTWAIT)) >= 0
    }
  }

  private static func readToEnd(_ descriptor: Int32) {
    var byte: UInt8 = 0
    while recv(descriptor, &byte, 1, 0) > 0 {}
    close(descriptor)
  }
}

/// Takes connections, and closes each when its client does.
private final class ClosingServer: Sendable {
  let port: Int
  private let listener: Int32

  init() throws {
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = Self.loopback(0)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listener = listener
    let isListening = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, size) == 0 && listen(listener, 64) == 0 && getsockname(listener, $0, &size) == 0
      }
    }
    guard isListening else { throw TestSupportError("no port: errno \(errno)") }
    port = Int(UInt16(bigEndian: address.sin_port))
    Thread.detachNewThread {
      while true {
        let client = accept(listener, nil, nil)
        guard client >= 0 else {
          close(listener)
          return
        }
        Thread.detachNewThread {
          var byte: UInt8 = 0
          while recv(client, &byte, 1, 0) > 0 {}
          close(client)
        }
      }
    }
  }

  deinit { shutdown(listener, Int32(SHUT_RDWR)) }

  static func connect(to port: Int) -> Int32? {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = loopback(port)
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if code == 0 { return descriptor }
    close(descriptor)
    return nil
  }

  private static func loopback(_ port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return address
  }
}
