import CLibpq
import Glibc

/// One `NOTIFY` that arrived.
public struct Notification: Sendable, Equatable {
  /// The channel it came on.
  public let channel: String
  /// What was sent with it, empty for nothing.
  public let payload: String
  /// The sending server process.
  public let backendPid: Int32
}

extension Connection {
  /// Subscribes this session to a channel.
  public func listen(to channel: String) throws(PostgresError) {
    _ = try simple("LISTEN \(quotedIdentifier(channel))")
  }

  /// Waits for the next notification; nil when none came in time. Zero only looks.
  ///
  /// - Throws: `.connection` when the connection is lost while waiting.
  public func waitForNotification(timeout milliseconds: Int32) throws(PostgresError) -> Notification? {
    let deadline = ContinuousClock.now + .milliseconds(max(0, milliseconds))
    while true {
      guard let handle else { throw .closed(sql: nil) }
      // Consumed before waiting as well: with TLS the bytes may sit in the library, not in the socket.
      guard PQconsumeInput(handle) == 1 else { throw PostgresError(handle: handle, sql: nil) }
      if let notification = takeNotification() { return notification }
      guard isConnected else { throw PostgresError(handle: handle, sql: nil) }
      let left = deadline - ContinuousClock.now
      guard left > .zero else { return nil }
      let wait = left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000 + 1
      var descriptor = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
      // An interrupted or failed wait goes round again: the deadline or libpq ends it.
      _ = poll(&descriptor, 1, Int32(clamping: wait))
    }
  }

  private func takeNotification() -> Notification? {
    guard let raw = PQnotifies(handle) else { return nil }
    defer { PQfreemem(raw) }
    return Notification(
      channel: String(cString: raw.pointee.relname),
      payload: String(cString: raw.pointee.extra),
      backendPid: raw.pointee.be_pid
    )
  }
}
