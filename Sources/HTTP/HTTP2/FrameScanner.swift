/// Sees each frame header go by before nghttp2 does (RFC 9113 §4.1), so that what is counted does not depend on which
/// frames nghttp2 ignores.
struct FrameScanner: Sendable {
  struct Header: Sendable {
    static let data: UInt8 = 0
    static let headers: UInt8 = 1
    static let reset: UInt8 = 3
    static let continuation: UInt8 = 9
    private static let endHeaders: UInt8 = 0x4
    private static let padded: UInt8 = 0x8

    let length: Int
    let type: UInt8
    let flags: UInt8

    init(_ bytes: UnsafeRawBufferPointer) {
      length = Int(bytes[0]) << 16 | Int(bytes[1]) << 8 | Int(bytes[2])
      type = bytes[3]
      flags = bytes[4]
    }

    var endsSection: Bool { flags & Header.endHeaders != 0 }
    /// DATA so short, or perhaps so full of padding, that it could be there to make work.
    var isNearlyEmpty: Bool { length < 128 || flags & Header.padded != 0 }
  }

  /// The client connection preface, which comes before the first frame.
  private static let preface = 24
  private static let headerLength = 9

  /// Bytes of the preface, or of a frame's payload, that are still to come.
  private var remaining = FrameScanner.preface
  /// The bytes of a frame header that has not all come: length (3), type, flags; then the stream (4).
  private var partial: [UInt8] = []
  private var section: Header?
  /// Header sections that have begun.
  private(set) var sections = 0

  /// Whether a header section has begun and is not complete.
  var isInSection: Bool { section != nil }

  /// Calls `body` for each frame that begins in the bytes, until it returns something.
  mutating func scan<Stop>(_ bytes: UnsafeRawBufferPointer, _ body: (Header) -> Stop?) -> Stop? {
    var position = 0
    while position < bytes.count {
      if remaining > 0 {
        let count = min(remaining, bytes.count - position)
        position += count
        remaining -= count
        if remaining == 0 { endFrame() }
        continue
      }
      let header: Header
      if partial.isEmpty, bytes.count - position >= FrameScanner.headerLength {
        header = Header(UnsafeRawBufferPointer(rebasing: bytes[position...]))
        position += FrameScanner.headerLength
      } else {
        partial.append(bytes[position])
        position += 1
        guard partial.count == FrameScanner.headerLength else { continue }
        header = partial.withUnsafeBytes { Header($0) }
        partial.removeAll(keepingCapacity: true)
      }
      begin(header)
      if let stop = body(header) { return stop }
    }
    return nil
  }

  private mutating func begin(_ header: Header) {
    if header.type == Header.headers { sections += 1 }
    if header.type == Header.headers || header.type == Header.continuation { section = header }
    remaining = header.length
    if remaining == 0 { endFrame() }
  }

  private mutating func endFrame() {
    if let section, section.endsSection { self.section = nil }
  }
}
