/// Why a stream or a connection ends (RFC 9113 §7).
public struct HTTP2ErrorCode: RawRepresentable, Hashable, Sendable {
  /// The code on the wire.
  public let rawValue: UInt32

  /// Any code, as a peer may send any.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// All is well.
  public static let noError = HTTP2ErrorCode(rawValue: 0)
  /// The other side broke the protocol.
  public static let protocolError = HTTP2ErrorCode(rawValue: 1)
  /// Our own mistake.
  public static let internalError = HTTP2ErrorCode(rawValue: 2)
  /// More was sent than the window allows.
  public static let flowControlError = HTTP2ErrorCode(rawValue: 3)
  /// A frame for a stream that is over.
  public static let streamClosed = HTTP2ErrorCode(rawValue: 5)
  /// A frame is too large or too small.
  public static let frameSizeError = HTTP2ErrorCode(rawValue: 6)
  /// Not looked at: the client may send it again.
  public static let refusedStream = HTTP2ErrorCode(rawValue: 7)
  /// No longer wanted.
  public static let cancel = HTTP2ErrorCode(rawValue: 8)
  /// The header compression's state is lost.
  public static let compressionError = HTTP2ErrorCode(rawValue: 9)
  /// The other side behaves as if it wanted to do harm.
  public static let enhanceYourCalm = HTTP2ErrorCode(rawValue: 11)
}
