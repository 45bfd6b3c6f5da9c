/// Finds the end of a line of a head, a trailer section or a chunk's size, CRLF and nothing else (RFC 9112 §2.2), in
/// input that comes in any pieces.
struct LineScanner: Sendable {
  enum Result {
    /// All input is used and the line has not ended.
    case incomplete
    /// The line is complete, the position is behind its CRLF.
    case line
    /// The line holds more bytes than allowed.
    case tooLong
    /// A bare CR, a bare LF, a NUL or another control character but HTAB.
    case forbiddenByte
  }

  /// The last byte was a CR: the next one must be LF.
  private(set) var expectsLineFeed = false

  /// Appends the line's bytes, without CRLF, to `line`, whose `start…` holds what came before. At most `limit` bytes.
  mutating func scan(
    _ input: Span<UInt8>,
    from position: inout Int,
    into line: inout [UInt8],
    startingAt start: Int,
    limit: Int
  ) -> Result {
    let first = position
    var index = position
    if !expectsLineFeed {
      let end = min(input.count, first + max(0, limit - (line.count - start)))
      index = endOfText(input, from: index, limit: end)
      if index > first { append(input, first..<index, to: &line) }
      position = index
      guard index < input.count else { return .incomplete }
      let byte = input[index]
      guard byte == UInt8(ascii: "\r") else {
        return isText(byte) ? .tooLong : .forbiddenByte
      }
      index += 1
      position = index
      expectsLineFeed = true
    }
    guard index < input.count else { return .incomplete }
    guard input[index] == UInt8(ascii: "\n") else { return .forbiddenByte }
    position = index + 1
    expectsLineFeed = false
    return .line
  }

  private func append(_ input: Span<UInt8>, _ range: Range<Int>, to line: inout [UInt8]) {
    input.extracting(range).withUnsafeBufferPointer { line.append(contentsOf: $0) }
  }
}

/// Where the text that begins at `start` ends.
private func endOfText(_ input: Span<UInt8>, from start: Int, limit: Int) -> Int {
  var index = start
  input.bytes.withUnsafeBytes { bytes in
    // Eight bytes at a time, as long as none is below SP or DEL: the classic tests for a byte less than, and equal to.
    let ones: UInt64 = 0x0101_0101_0101_0101
    while index + 8 <= limit {
      let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
      let controls = (word &- ones &* 0x20) & ~word
      let deletes = word ^ (ones &* 0x7F)
      guard (controls | ((deletes &- ones) & ~deletes)) & (ones &* 0x80) == 0 else { break }
      index += 8
    }
  }
  while index < limit, isText(input[index]) { index += 1 }
  return index
}

/// HTAB, SP, VCHAR and obs-text: all that a line may hold between its ends (RFC 9110 §5.5).
@inline(__always)
private func isText(_ byte: UInt8) -> Bool {
  byte >= 0x20 ? byte != 0x7F : byte == 0x09
}
