/// What a handler returns.
public enum Reply: Sendable {
  /// The response, to be written at once.
  case ready(Response)
  /// Work that blocks and yields the response; it runs on a worker thread.
  case blocking(@Sendable () -> Response)
}
