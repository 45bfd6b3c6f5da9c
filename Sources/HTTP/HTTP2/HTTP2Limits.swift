/// What one HTTP/2 connection may use, and how fast. The defaults suit the open internet.
public struct HTTP2Limits: Sendable, Hashable {
  /// Requests at one time, as announced to the client; one more is refused (`REFUSED_STREAM`).
  public var concurrentStreams = 100
  /// Fields and content of requests that are not complete or not yet taken, all streams together, in bytes. Beyond it
  /// the newest stream is refused. It is never less than one request of `RequestLimits` needs.
  public var requestBytes = 2 * 1024 * 1024
  /// Unsent content of responses, in bytes, from which on no further request is taken.
  public var answerBytes = 1024 * 1024
  /// CONTINUATION frames of one header section.
  public var continuations = 8
  /// Streams that may be reset, by either side, before `resetsPerSecond` counts.
  public var resetBurst = 200
  /// Streams that may be reset in a second in the long run; beyond it the connection ends with `ENHANCE_YOUR_CALM`.
  public var resetsPerSecond = 50
  /// Frames that carry no part of a request, such as PING, before `controlFramesPerSecond` counts. Each request, and
  /// each DATA frame that was sent, allows a few more.
  public var controlFrameBurst = 2000
  /// Such frames in a second in the long run; beyond it the connection ends with `ENHANCE_YOUR_CALM`.
  public var controlFramesPerSecond = 200

  /// From a connection's start, or the begin of a header section, to its end; then the connection ends.
  public var header = Duration.seconds(10)
  /// From the end of the header section to the end of the content; then 408.
  public var body = Duration.seconds(30)
  /// How long a response may take that the client does not read, or gives no window: this long, and a second more for
  /// each `minimumWriteRate` bytes that it did take. Then its stream is reset.
  public var write = Duration.seconds(30)
  /// The slowest reading, in bytes a second, that keeps a stream alive beyond `write`.
  public var minimumWriteRate = 16 * 1024
  /// How long a client may continue a request that is answered already, before its stream is reset.
  public var unread = Duration.milliseconds(250)
  /// How long a connection may stay without a stream, whatever else it sends.
  public var idle = Duration.seconds(60)
  /// How long a client may take to answer the notice that the connection is about to end.
  public var drain = Duration.seconds(1)

  /// The defaults.
  public init() {}
}

/// A moment, in nanoseconds of a clock that never goes back. The module reads no clock.
typealias Nanoseconds = UInt64

/// So much later; the end of time where that is beyond all numbers.
func + (moment: Nanoseconds, duration: Duration) -> Nanoseconds {
  let (seconds, attoseconds) = duration.components
  guard seconds >= 0, attoseconds >= 0 else { return moment }
  let (whole, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
  let (sum, overflow2) = moment.addingReportingOverflow(whole)
  let (exact, overflow3) = sum.addingReportingOverflow(UInt64(attoseconds / 1_000_000_000))
  return overflow || overflow2 || overflow3 ? .max : exact
}
