import CLinux
import Glibc
import Threading

/// Where other threads leave messages for an event loop: a list and an eventfd that wakes the loop.
public final class Inbox<Message: Sendable>: Sendable {
  private let messages = Lock<[Message]>([])
  private let event: FileDescriptor

  /// An empty inbox.
  public init() throws(SystemError) {
    event = FileDescriptor(owning: try call("eventfd") { eventfd(0, topitems_eventfd_flags) })
  }

  /// What the loop watches: readable when there are messages.
  public var descriptor: Int32 { event.rawValue }

  /// Leaves a message. Any thread may; one wake-up serves all messages left before the loop looks.
  public func post(_ message: Message) {
    let isFirst = messages.withLock { messages in
      messages.append(message)
      return messages.count == 1
    }
    // It cannot fail: the counter would have to be at its maximum.
    if isFirst { eventfd_write(event.rawValue, 1) }
  }

  /// All messages, oldest first. Only the loop's thread calls this.
  public func take() -> [Message] {
    // First the eventfd, then the list: a message that comes in between makes it readable again.
    var count: eventfd_t = 0
    _ = eventfd_read(event.rawValue, &count)
    return messages.withLock { messages in
      defer { messages = [] }
      return messages
    }
  }
}
