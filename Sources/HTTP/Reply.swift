/// What a handler returns: data, or work for elsewhere. A handler runs on an event loop, which serves thousands of
/// connections meanwhile, so it never waits.
public enum Reply: Sendable {
  /// The response, sent at once.
  case ready(Response)
  /// Makes the response on a worker thread, where it may wait, for a database for example. It is not run when the
  /// client is gone before its turn comes.
  case blocking(@Sendable () -> Response)
  /// Makes a response of any length on a worker thread, piece by piece, without ever holding all of it. A function that
  /// returns before it has begun is a 500; one that throws after it has begun breaks the connection, so that
  /// no cut response looks whole.
  case streaming(@Sendable (ResponseStream) throws(StreamBroken) -> Void)
  /// Subscribes the client to a response that goes on for as long as it stays. The function runs on the event loop and
  /// does not wait; other threads push to the channel later. Nothing is sent before the channel is used.
  case push(@Sendable (PushChannel) -> Void)
}
