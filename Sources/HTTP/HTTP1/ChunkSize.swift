/// `chunk-size [ chunk-ext ]` (RFC 9112 §7.1). Extensions are skipped unread, as §7.1.1 asks; the whitespace it would
/// tolerate before them is refused, as is a size with a sign, a prefix or too many digits.
struct ChunkSize {
  /// Enough for any Int, leading zeros included.
  static let maximumDigits = 16

  let size: Int
  let extensionBytes: Int

  init(_ line: ArraySlice<UInt8>) throws(ProtocolError) {
    let end = line.firstIndex(of: UInt8(ascii: ";")) ?? line.endIndex
    let digits = line[..<end]
    guard !digits.isEmpty, digits.count <= ChunkSize.maximumDigits else { throw .bad("a chunk size is malformed") }
    var size: UInt64 = 0
    for byte in digits {
      guard let value = hexadecimalValue(byte) else { throw .bad("a chunk size is malformed") }
      size = size << 4 | UInt64(value)  // Sixteen digits are 64 bits: nothing is shifted out.
    }
    guard let size = Int(exactly: size) else { throw .bad("a chunk size is malformed") }
    self.size = size
    extensionBytes = line.endIndex - end
  }
}
