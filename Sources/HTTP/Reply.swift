/// What a handler returns: data, or work for elsewhere. A handler runs on an event loop, which serves thousands of
/// connections meanwhile, so it never waits.
public enum Reply: Sendable {
  /// The answer, sent at once.
  case ready(Response)
  /// Makes the answer on a worker thread, where it may wait, for a database for example. It is not run when the client
  /// is gone before its turn comes.
  case blocking(@Sendable () -> Response)
}
