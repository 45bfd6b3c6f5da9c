/// The fields of a message (RFC 9110 §5): ordered, names compared without case, values kept byte for byte.
///
/// All names and values share one byte buffer; for a request it is the header section as it was received, so that
/// parsing a field allocates nothing.
public struct Fields: Sendable {
  struct Entry: Sendable {
    var name: Range<Int>
    var value: Range<Int>
  }

  var bytes: [UInt8]
  var entries: [Entry]

  /// No fields.
  public init() {
    bytes = []
    entries = []
  }

  /// Takes over the parser's buffer and what it found there.
  init(bytes: [UInt8], entries: [Entry]) {
    self.bytes = bytes
    self.entries = entries
  }

  /// How many field lines there are.
  public var count: Int { entries.count }

  /// Whether there is none.
  public var isEmpty: Bool { entries.isEmpty }

  /// Adds a field line after the others.
  ///
  /// A name that is not a token is a mistake in our own program, and traps. CR, LF and NUL in a value, which would
  /// split the message, become spaces (RFC 9110 §5.5).
  public mutating func append(_ name: String, _ value: String) {
    precondition(!name.isEmpty && name.utf8.allSatisfy { ByteClass.of($0).contains(.token) }, "no field name")
    let nameStart = bytes.count
    bytes.append(contentsOf: name.utf8)
    let valueStart = bytes.count
    bytes.append(contentsOf: value.utf8)
    for index in valueStart..<bytes.count where [0x00, 0x0A, 0x0D].contains(bytes[index]) {
      bytes[index] = 0x20
    }
    entries.append(Entry(name: nameStart..<valueStart, value: valueStart..<bytes.count))
  }

  /// Makes this the only field of its name; it takes the last place.
  public mutating func set(_ name: String, _ value: String) {
    if contains(name) { remove(name) }
    append(name, value)
  }

  /// Removes every field of this name.
  public mutating func remove(_ name: String) {
    // The bytes stay: a response is short-lived, and so is what it no longer needs.
    entries = entries.filter { !matches($0, name) }
  }

  /// Whether there is a field of this name.
  public func contains(_ name: String) -> Bool { entries.contains { matches($0, name) } }

  /// The field's value: of several lines, the values joined with ", " in their order (RFC 9110 §5.3), so that a
  /// duplicate of a field that must be single is seen, not dropped. Bytes that are no UTF-8 become U+FFFD.
  public subscript(name: String) -> String? {
    var joined: String?
    for entry in entries where matches(entry, name) {
      let value = String(decoding: bytes[entry.value], as: UTF8.self)
      joined = joined.map { "\($0), \(value)" } ?? value
    }
    return joined
  }

  /// The value of each line of this name, in their order. Bytes that are no UTF-8 become U+FFFD.
  public func values(of name: String) -> [String] {
    entries.lazy.filter { matches($0, name) }.map { String(decoding: bytes[$0.value], as: UTF8.self) }
  }

  /// The first line's value as the bytes that were sent.
  public func firstBytes(of name: String) -> ArraySlice<UInt8>? {
    entries.first { matches($0, name) }.map { bytes[$0.value] }
  }

  func matches(_ entry: Entry, _ name: String) -> Bool {
    entry.name.count == name.utf8.count && equalsIgnoringCase(bytes[entry.name], name)
  }
}

extension Fields: ExpressibleByDictionaryLiteral {
  /// Fields in the order of the literal; a name may come more than once.
  public init(dictionaryLiteral elements: (String, String)...) {
    self.init()
    for (name, value) in elements { append(name, value) }
  }
}

extension Fields: Sequence {
  /// The field lines in their order, names as they were written.
  public func makeIterator() -> some IteratorProtocol<(name: String, value: String)> {
    entries.lazy.map { entry in
      (
        name: String(decoding: bytes[entry.name], as: UTF8.self),
        value: String(decoding: bytes[entry.value], as: UTF8.self)
      )
    }.makeIterator()
  }
}

extension Fields: Equatable {
  /// The same lines in the same order: names without case, values byte for byte.
  public static func == (left: Fields, right: Fields) -> Bool {
    left.entries.count == right.entries.count
      && zip(left.entries, right.entries).allSatisfy { mine, other in
        left.bytes[mine.value] == right.bytes[other.value]
          && left.bytes[mine.name].elementsEqual(
            right.bytes[other.name],
            by: { lowercased($0) == lowercased($1) }
          )
      }
  }
}

/// An ASCII letter's small form; any other byte as it is.
@inline(__always)
func lowercased(_ byte: UInt8) -> UInt8 {
  byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
}

/// Whether the bytes spell the ASCII text, in capitals or not.
func equalsIgnoringCase(_ bytes: ArraySlice<UInt8>, _ text: String) -> Bool {
  var text = text
  return text.withUTF8 { text in
    guard bytes.count == text.count else { return false }
    return bytes.withUnsafeBufferPointer { bytes in
      bytes.indices.allSatisfy { lowercased(bytes[$0]) == lowercased(text[$0]) }
    }
  }
}
