/// One request and its response.
final class HTTP2Stream {
  /// How far the request is.
  enum Input {
    case head
    case content
    /// Complete, or its rest is not looked at.
    case done
  }

  /// How far the response is.
  enum Answer {
    case none
    /// More content will be handed over.
    case open
    /// All of it was handed over.
    case whole
  }

  let id: Int32
  var input = Input.head
  var head = RequestHead()
  /// The request, as soon as its head is complete.
  var request: Request?
  var content: [UInt8] = []
  var contentLimit = 0
  /// The client has more to say: it has not ended its side.
  var isHalfOpen = true
  /// Content that may still come and is dropped, once the response does not depend on it.
  var dropAllowance = 0
  /// Since when the end of the response has been on its way.
  var answeredSince: Nanoseconds?
  /// Whether the caller knows of the stream.
  var isHandedOver = false
  var isHead = false
  /// When the head was complete.
  var begun: Nanoseconds = 0

  /// The caller's, kept as long as there is content to send.
  var kept: AnyObject?
  private(set) var answer = Answer.none
  /// Content of the response, sent up to `offset`.
  private var output: [UInt8] = []
  private var offset = 0
  /// Whether each piece of the body has a write budget of its own.
  private var isEndless = false
  /// Since when the client has had something to read, moved on by what it has read.
  private var pendingSince: Nanoseconds = 0
  /// How long that was when there was nothing left to send.
  private var waited: Nanoseconds = 0

  init(id: Int32) {
    self.id = id
  }

  /// What is kept of the request, in bytes.
  var requestBytes: Int { head.size + content.count }

  /// Content that is not yet sent.
  var pending: Int { output.count - offset }

  var isWhole: Bool { if case .whole = answer { true } else { false } }
  var isUnanswered: Bool { if case .none = answer { true } else { false } }

  func begin(_ answer: Answer, content: [UInt8], isEndless: Bool = false, at now: Nanoseconds) {
    self.answer = answer
    self.isEndless = isEndless
    output = content
    pendingSince = now
  }

  func append(_ piece: [UInt8], at now: Nanoseconds) {
    if pending == 0 {
      output = piece
      offset = 0
      // One write budget for all pieces, so that reading a little now and then does not hold a worker for ever.
      pendingSince = isEndless ? now : now - min(waited, now)
    } else {
      output = output[offset...] + piece
      offset = 0
    }
  }

  func end(at now: Nanoseconds) {
    answer = .whole
    // The end itself has to be sent too.
    if pending == 0 { pendingSince = now }
  }

  /// Moves as much as there is room for. Returns how much, and whether that was the last of it.
  ///
  /// - Parameter rate: the lowest allowed rate of a reader, in bytes a second.
  func take(
    into buffer: UnsafeMutableRawBufferPointer,
    rate: Int,
    at now: Nanoseconds
  ) -> (count: Int, isLast: Bool) {
    let count = min(buffer.count, pending)
    if count > 0 {
      output.withUnsafeBytes { bytes in
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + count)]))
      }
      offset += count
      // Time is made up for, never saved up.
      let earned = Duration.nanoseconds(Int64(count) * 1_000_000_000 / Int64(max(1, rate)))
      pendingSince = min(now, pendingSince + earned)
      waited = now - pendingSince
    }
    let isLast = pending == 0
    if isLast {
      output = []
      offset = 0
      kept = nil
    }
    return (count, isLast && isWhole)
  }

  /// When the stream times out: for a request that does not go on, or a response that is not read.
  func deadline(_ limits: HTTP2Limits) -> Nanoseconds {
    if case .content = input { return begun + limits.body }
    if let answeredSince { return answeredSince + limits.unread }
    guard pending > 0 || isWhole else { return .max }
    return pendingSince + limits.write
  }
}
