/// Field lines as they are read (RFC 9112 §5): where names and values are, and how much there was.
struct FieldSection: Sendable {
  var entries: [Fields.Entry] = []
  /// Lines so far, those of the trailer section included.
  private(set) var count = 0
  /// Their bytes, CRLFs included.
  private(set) var bytes = 0

  /// Reads `field-name ":" OWS field-value OWS`. Whitespace before the colon and a line that continues the previous one
  /// (obs-fold) are refused, RFC 9112 §5.1 and §5.2; control characters were refused by the scanner.
  mutating func read(_ line: ArraySlice<UInt8>) throws(ProtocolError) -> Fields.Entry {
    var colon = line.startIndex
    while colon < line.endIndex, ByteClass.of(line[colon]).contains(.token) { colon += 1 }
    guard colon < line.endIndex, line[colon] == UInt8(ascii: ":"), colon > line.startIndex else {
      throw .bad("a header field has no valid name")
    }
    var start = colon + 1
    var end = line.endIndex
    while start < end, isWhitespace(line[start]) { start += 1 }
    while end > start, isWhitespace(line[end - 1]) { end -= 1 }
    count += 1
    bytes += line.count + 2
    return Fields.Entry(name: line.startIndex..<colon, value: start..<end)
  }
}

/// OWS: SP and HTAB (RFC 9110 §5.6.3).
@inline(__always)
func isWhitespace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

/// The members of a comma-separated list, whitespace around them removed, empty ones left in (RFC 9110 §5.6.1).
func listMembers(_ bytes: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
  bytes.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map { member in
    let start = member.firstIndex { !isWhitespace($0) } ?? member.endIndex
    let end = member.lastIndex { !isWhitespace($0) }.map { $0 + 1 } ?? start
    return member[start..<end]
  }
}
