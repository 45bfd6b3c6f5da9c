/// Writes JSON text (RFC 8259) straight into bytes; commas are its business, balance is the caller's.
///
/// Beyond what RFC 8259 §7 demands (quotation mark, reverse solidus, U+0000…U+001F) it escapes `<`, `>`, `&`,
/// U+2028 and U+2029, which end a script or a line where JSON is pasted into a page, and U+007F…U+009F,
/// which steer terminals. A reader gets the same string back; every other character stands for itself.
///
/// Public and inlinable where it is generic, so that it is specialized in other modules.
public struct JSONWriter {
  /// What was written so far.
  public private(set) var bytes: [UInt8] = []
  private var needsComma = false

  /// A writer of nothing yet.
  public init(capacity: Int = 512) {
    bytes.reserveCapacity(capacity)
  }

  /// Writes an object, whose members the closure writes.
  @inlinable
  public mutating func object<E>(_ members: (inout JSONWriter) throws(E) -> Void) throws(E) {
    open(UInt8(ascii: "{"))
    try members(&self)
    close(UInt8(ascii: "}"))
  }

  /// Writes an array, whose elements the closure writes.
  @inlinable
  public mutating func array<E>(_ elements: (inout JSONWriter) throws(E) -> Void) throws(E) {
    open(UInt8(ascii: "["))
    try elements(&self)
    close(UInt8(ascii: "]"))
  }

  /// A member's name that is known to need no escape; the value has to follow.
  public mutating func name(_ name: StaticString) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    appendLiteral(name)
    bytes.append(UInt8(ascii: "\""))
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  /// A member's name; the value has to follow.
  public mutating func name(_ name: String) {
    string(name)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  /// Writes `null`.
  public mutating func null() {
    separate()
    appendLiteral("null")
  }

  /// Writes `true` or `false`.
  public mutating func bool(_ value: Bool) {
    separate()
    appendLiteral(value ? "true" : "false")
  }

  /// Writes a number.
  @inlinable
  public mutating func integer(_ value: some FixedWidthInteger) {
    separate()
    appendDigits(Int64(value))
  }

  /// An integer as text: JavaScript and its kin lose the last digits of numbers beyond 2^53.
  public mutating func quotedInteger(_ value: Int64) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    appendDigits(value)
    bytes.append(UInt8(ascii: "\""))
  }

  /// Writes a string.
  public mutating func string(_ value: String) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    let contiguous: Void? = value.utf8.withContiguousStorageIfAvailable { appendEscaped($0) }
    if contiguous == nil {
      Array(value.utf8).withUnsafeBufferPointer { appendEscaped($0) }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  /// A value that is JSON already.
  public mutating func value(_ json: [UInt8]) {
    separate()
    bytes.append(contentsOf: json)
  }

  /// Writes a string that is known to need no escape.
  public mutating func string(_ value: StaticString) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    appendLiteral(value)
    bytes.append(UInt8(ascii: "\""))
  }

  /// A string of bytes that need no escape.
  public mutating func quoted(_ ascii: [UInt8]) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    bytes.append(contentsOf: ascii)
    bytes.append(UInt8(ascii: "\""))
  }

  /// The inside of an array or an object that is JSON already; empty is fine.
  public mutating func members(_ json: ArraySlice<UInt8>) {
    guard !json.isEmpty else { return }
    separate()
    bytes.append(contentsOf: json)
  }

  /// Punctuation, for callers that balance brackets and set commas themselves: no comma follows it.
  public mutating func raw(_ text: StaticString) {
    appendLiteral(text)
    needsComma = false
  }

  /// Gives away what was written so far.
  public mutating func take() -> [UInt8] {
    var taken: [UInt8] = []
    swap(&taken, &bytes)
    return taken
  }

  @usableFromInline
  mutating func open(_ bracket: UInt8) {
    separate()
    bytes.append(bracket)
    needsComma = false
  }

  @usableFromInline
  mutating func close(_ bracket: UInt8) {
    bytes.append(bracket)
    needsComma = true
  }

  @usableFromInline
  mutating func separate() {
    if needsComma {
      bytes.append(UInt8(ascii: ","))
    }
    needsComma = true
  }

  private mutating func appendLiteral(_ text: StaticString) {
    text.withUTF8Buffer { bytes.append(contentsOf: $0) }
  }

  @usableFromInline
  mutating func appendDigits(_ value: Int64) {
    if value < 0 {
      bytes.append(UInt8(ascii: "-"))
    }
    var rest = value.magnitude
    let first = bytes.count
    repeat {
      bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
      rest /= 10
    } while rest > 0
    bytes[first...].reverse()
  }

  /// Copies runs of harmless bytes whole. The text is valid UTF-8, as every `String` is, so the bytes C2 and
  /// E2 80 are looked at together with what must follow them.
  private mutating func appendEscaped(_ text: UnsafeBufferPointer<UInt8>) {
    var runStart = 0
    var index = 0
    while index < text.count {
      guard let (length, code) = escape(text, at: index) else {
        index += 1
        continue
      }
      bytes.append(contentsOf: text[runStart..<index])
      appendEscape(code)
      index += length
      runStart = index
    }
    bytes.append(contentsOf: text[runStart...])
  }

  /// How many bytes at `index` are a character that is escaped, and its code point; nil if it is written as it is.
  private func escape(_ text: UnsafeBufferPointer<UInt8>, at index: Int) -> (length: Int, code: UInt16)? {
    let byte = text[index]
    switch byte {
    case 0x00..<0x20, 0x22, 0x5C, 0x3C, 0x3E, 0x26, 0x7F:
      return (1, UInt16(byte))
    case 0xC2 where index + 1 < text.count && text[index + 1] < 0xA0:  // U+0080…U+009F
      return (2, UInt16(text[index + 1]))
    case 0xE2 where index + 2 < text.count && text[index + 1] == 0x80 && text[index + 2] & 0xFE == 0xA8:
      return (3, 0x2000 | UInt16(text[index + 2] & 0x3F))  // U+2028, U+2029
    default:
      return nil
    }
  }

  private mutating func appendEscape(_ code: UInt16) {
    bytes.append(UInt8(ascii: "\\"))
    switch code {
    case 0x22, 0x5C: bytes.append(UInt8(code))
    case 0x08: bytes.append(UInt8(ascii: "b"))
    case 0x0C: bytes.append(UInt8(ascii: "f"))
    case 0x0A: bytes.append(UInt8(ascii: "n"))
    case 0x0D: bytes.append(UInt8(ascii: "r"))
    case 0x09: bytes.append(UInt8(ascii: "t"))
    default:
      bytes.append(UInt8(ascii: "u"))
      JSONString.appendHex(code, to: &bytes)
    }
  }
}
