import HTTP
import Sockets

/// A response that is made by other threads. The loop takes it step by step, when it has room to send.
protocol PendingResponse: AnyObject, Sendable {
  /// Whether it goes on, once it has begun, for as long as the client listens.
  var isEndless: Bool { get }

  /// Whether it still waits for a worker.
  var isQueued: Bool { get }
  /// Whether it was ended after it had begun, so that the client must see that it is not whole.
  var isCut: Bool { get }

  /// The next step. After `.later` the loop gets a message, once, as soon as there is another step.
  ///
  /// - Parameter limit: the most bytes of a piece that comes from a worker; the rest of it is the next step.
  func next(atMost limit: Int) -> ResponseStep
  /// No further step follows: the client is gone, or the response is sent.
  func cancel()
  /// The server stops: what goes on for ever ends now.
  func finish()
}

/// What a response has come to.
enum ResponseStep: Sendable {
  /// Nothing new.
  case later
  /// The whole response; there are no more steps.
  case whole(Response)
  /// Status and fields; pieces follow. The body, if any, is the first of them.
  case head(Response, heartbeat: PushChannel.Heartbeat?)
  /// Some of the body.
  case piece([UInt8])
  /// The body is complete; there are no more steps.
  case end
  /// It is not made, and this is said instead; there are no more steps.
  case refused(ProtocolError)
  /// It will not be made, or not to its end; there are no more steps.
  case broken
}

/// Wakes a loop because a pending response has something new.
struct ResponseUpdate: Sendable {
  let inbox: Inbox<ServerLoop.Message>
  let registration: Registration
  /// Which of the connection's answers; for HTTP/2 its stream.
  let number: Int32

  func post() { inbox.post(.update(registration, number)) }
}
