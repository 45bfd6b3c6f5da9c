import CLibpq

/// Stops a connection's running statement from another thread.
///
/// The request travels on a connection of its own and may arrive after the statement ended; then it stops
/// whatever that session runs next, or nothing. Source: libpq documentation, "Canceling Queries in Progress".
public final class Canceller: @unchecked Sendable {
  // Unchecked is safe: the pointer never changes after init, and PQcancel only reads what it points to, so that
  // libpq allows it from any thread, even from a signal handler.
  private let request: OpaquePointer?

  init(_ handle: OpaquePointer) {
    request = PQgetCancel(handle)
  }

  deinit {
    PQfreeCancel(request)
  }

  /// Asks the server to cancel; the statement then ends with SQLSTATE 57014. Blocks until the request is
  /// delivered, within the connection's TCP limits.
  ///
  /// - Throws: `.connection` when the request could not be delivered.
  public func cancel() throws(PostgresError) {
    var message = [CChar](repeating: 0, count: 256)
    guard PQcancel(request, &message, Int32(message.count)) == 1 else {
      let reason = message.withUnsafeBufferPointer { PostgresError.trimmed($0.baseAddress) }
      throw PostgresError(.connection, "cannot cancel: " + (reason ?? "no connection"))
    }
  }
}
