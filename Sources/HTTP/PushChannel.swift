/// The way to one client that waits for messages, such as a stream of Server-Sent Events. Any thread may use it.
///
/// At most one message waits for a client that reads slowly: a newer one takes its place, so that the client then skips
/// to the newest state, and memory is bounded. A message that has begun to be sent is sent whole.
public final class PushChannel: Sendable {
  /// What the server does for the channel.
  public enum Signal: Sendable {
    /// The whole response instead of a stream, such as an error. Nothing may follow.
    case answer(Response)
    /// Status and fields of the stream, and what is sent whenever nothing else was for a while.
    case begin(Response, heartbeat: Heartbeat?)
    /// A message, or the newer one in place of one that waits.
    case message([UInt8])
    /// The end of the stream, after what waits.
    case end
  }

  /// What keeps a silent stream alive, and shows to the server when its client is gone.
  public struct Heartbeat: Sendable {
    /// How long nothing was sent.
    public var interval: Duration
    /// What is sent then.
    public var bytes: [UInt8]

    /// Takes each property.
    public init(interval: Duration, bytes: [UInt8]) {
      self.interval = interval
      self.bytes = bytes
    }
  }

  private let send: @Sendable (Signal) -> Void
  private let onClose: @Sendable (@escaping @Sendable () -> Void) -> Void

  /// A channel whose signals go to `send`, and which calls `onClose` when it is over.
  public init(
    send: @escaping @Sendable (Signal) -> Void,
    onClose: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void
  ) {
    self.send = send
    self.onClose = onClose
  }

  /// Answers with a whole response instead of a stream.
  public func answer(_ response: Response) { send(.answer(response)) }

  /// Begins the stream.
  public func begin(_ head: Response, heartbeat: Heartbeat? = nil) {
    send(.begin(head, heartbeat: heartbeat))
  }

  /// Sends a message, in place of one that still waits.
  public func offer(_ message: [UInt8]) { send(.message(message)) }

  /// Ends the stream after what waits.
  public func end() { send(.end) }

  /// Calls `body` once when the client is gone, or the stream has ended; at once if that has happened already. It runs
  /// on an event loop and does not wait.
  public func whenClosed(_ body: @escaping @Sendable () -> Void) { onClose(body) }
}
