import Threading
import Sockets

/// What is spoken on a connection: HTTP/1.1 (`HTTP1Conversation`) or HTTP/2.
///
/// It turns plain bytes into requests, has them answered, and puts what there is to send into `loop.output` and
/// `connection.freshBody`, which `connection.flush()` sends. It knows nothing of sockets and encryption; the connection
/// knows nothing of requests. One is made when the protocol is known, and another may take its place.
protocol Conversation: AnyObject {
  /// Whether input would be used now. While it is not, it stays in the kernel, and the client is held back.
  var takesInput: Bool { get }
  /// Whether a request is in progress, from its first byte to the last one of its response.
  var isBusy: Bool { get }
  /// When `expired` is called, unless something is waiting to be sent, which has its own deadline.
  var deadline: Instant { get }

  /// Takes input. It may come when none is taken any more, as the rest of what was read at once.
  func receive(_ input: UnsafeRawBufferPointer)
  /// Everything was sent: there is room for more.
  func proceed()
  /// A pending response has something new.
  func update(of number: Int32)
  /// The client has ended its side of the connection: it sends no more.
  func peerFinished()
  /// The deadline has passed.
  func expired()
  /// The server stops: nothing new after what is in progress, and what has no end ends now.
  func finish()
  /// The connection is closed: whatever works for it can stop.
  func cancel()
}
