import Glibc
import Threading
import Sockets
import Synchronization

/// Writes a line for each request to a descriptor, from a thread of its own: a reader of the log that does not keep up
/// costs lines, which are counted, and never holds the server up.
public final class AccessLog: Sendable {
  /// Bytes that may wait to be written; lines beyond are dropped.
  public static let capacity = 1024 * 1024

  private struct Waiting: Sendable {
    var bytes: [UInt8] = []
    var isWriting = false
    var isClosed = false
  }

  private let format: AccessLogFormat
  private let descriptor: Int32
  private let waiting = Monitor(Waiting())
  private let droppedLines = Atomic(0)

  /// A log in `format` to a descriptor that stays the caller's, and open: one write may outlive `close`.
  public init(_ format: AccessLogFormat, descriptor: Int32) throws(SystemError) {
    self.format = format
    self.descriptor = descriptor
    do {
      try startThread(name: "access-log") { [self] in write() }
    } catch {
      throw SystemError(error)
    }
  }

  /// How many lines were dropped.
  public var dropped: Int { droppedLines.load(ordering: .relaxed) }

  /// Adds the line of a request, which has just been answered; from any thread, without waiting.
  public func add(_ request: CompletedRequest) {
    let line = format.line(request, second: currentSecond())
    let isTaken = waiting.change { waiting in
      guard !waiting.isClosed, waiting.bytes.count + line.utf8.count < AccessLog.capacity else {
        return false
      }
      waiting.bytes += line.utf8
      waiting.bytes.append(UInt8(ascii: "\n"))
      return true
    }
    if !isTaken { droppedLines.add(1, ordering: .relaxed) }
  }

  /// Takes no more lines, and waits until all are written, but no longer than `limit`: a reader that
  /// has stalled does not keep a process from its end.
  public func close(within limit: Duration = .seconds(1)) {
    waiting.changeForAll { $0.isClosed = true }
    _ = waiting.wait(until: .now + limit) { $0.bytes.isEmpty && !$0.isWriting ? true : nil }
  }

  private func write() {
    while let bytes = waiting.wait(for: { AccessLog.next(&$0) }) {
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        if count > 0 {
          rest = rest.dropFirst(count)
        } else if errno == EAGAIN {
          var waiter = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          poll(&waiter, 1, 1000)
        } else if errno != EINTR {
          // The pipe is closed, or the disk is full: later lines may be written.
          droppedLines.add(rest.count { $0 == UInt8(ascii: "\n") }, ordering: .relaxed)
          break
        }
      }
      waiting.changeForAll { $0.isWriting = false }
    }
  }

  /// What to write next: nil in the outer sense is to wait, in the inner one the end.
  private static func next(_ waiting: inout Waiting) -> [UInt8]?? {
    guard !waiting.bytes.isEmpty else { return waiting.isClosed ? .some(nil) : nil }
    defer { waiting.bytes = [] }
    waiting.isWriting = true
    return waiting.bytes
  }
}
