/// The response to one request, in pieces; used by the one worker thread that makes it.
///
/// What the client has not read is kept in bounded memory, then in a bounded file; only beyond that does a piece wait
/// for it.
public final class ResponseStream: Sendable {
  /// What the server does with the parts. Each waits until there is room.
  public enum Part: Sendable {
    /// Status and fields; its body, if any, is the first piece. It carries no `Content-Length`.
    case head(Response)
    /// Some of the body; not empty.
    case piece([UInt8])
  }

  private let send: @Sendable (Part) throws(StreamBroken) -> Void

  /// A stream whose parts go to `send`.
  public init(send: @escaping @Sendable (Part) throws(StreamBroken) -> Void) {
    self.send = send
  }

  /// Begins the response; to be called once, first.
  ///
  /// - Throws: `StreamBroken.clientGone` when the client is gone.
  public func begin(_ head: Response) throws(StreamBroken) {
    guard head.body.count > ResponseStream.longestPiece else { return try send(.head(head)) }
    var first = head
    first.body = []
    try send(.head(first))
    try write(head.body)
  }

  /// Sends some of the body, and waits until there is room for it. Pieces of 16 to 64 KiB suit best; a longer one is
  /// cut.
  ///
  /// - Throws: `StreamBroken.clientGone` when the client is gone.
  public func write(_ piece: [UInt8]) throws(StreamBroken) {
    guard piece.count > ResponseStream.longestPiece else {
      if !piece.isEmpty { try send(.piece(piece)) }
      return
    }
    var start = 0
    while start < piece.count {
      let end = min(piece.count, start + ResponseStream.longestPiece)
      try send(.piece(Array(piece[start..<end])))
      start = end
    }
  }

  private static let longestPiece = 64 * 1024
}

/// Why a response in pieces ends before its end.
public enum StreamBroken: Error, Sendable {
  /// The client closed the connection, or was too slow.
  case clientGone
  /// The rest cannot be made; the connection is broken, so that the client notices.
  case failed
}
