import Counting

/// A word of an OData expression (OData ABNF 4.0).
enum ODataToken: Equatable {
  /// A property, an operator, a function, `true`, `null`, `$count`, …; not distinguished yet.
  case name(String)
  /// `@name`
  case alias(String)
  case string(String)
  case integer(Int64)
  /// A number with a fraction or an exponent, which is never compared with.
  case decimal
  case time(Timestamp)
  /// One of `( ) , / = *`
  case symbol(Character)
  case end
}

/// Cuts the text of an option into tokens. The text is a client's: whatever it is, there is a token or an error.
struct ODataLexer {
  /// Longer expressions are refused; a request line of HTTP/1.1 is not longer either.
  static let longestText = 8192

  private let bytes: [UInt8]
  private let option: String
  private var index = 0

  /// - Parameter option: what errors are about.
  init(_ text: String, option: String) throws(ODataError) {
    bytes = Array(text.utf8)
    self.option = option
    guard bytes.count <= Self.longestText else {
      throw .malformed(option, "It is longer than \(Self.longestText) bytes.")
    }
  }

  /// The next token, and where it begins (counted in bytes from 1).
  mutating func next() throws(ODataError) -> (token: ODataToken, position: Int) {
    while let byte = peek(), byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") { index += 1 }
    let start = index
    guard let byte = peek() else { return (.end, start + 1) }
    switch byte {
    case UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: ","), UInt8(ascii: "/"), UInt8(ascii: "="),
      UInt8(ascii: "*"):
      index += 1
      return (.symbol(Character(UnicodeScalar(byte))), start + 1)
    case UInt8(ascii: "'"): return (.string(try string()), start + 1)
    case UInt8(ascii: "@"):
      index += 1
      let name = identifier()
      guard !name.isEmpty else { throw failure(start, "an alias has no name") }
      return (.alias(name), start + 1)
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"):
      return (try number(), start + 1)
    default:
      let name = identifier()
      guard !name.isEmpty else { throw failure(start, "a character does not belong here") }
      guard peek() != UInt8(ascii: "'") else { throw try prefixed(name, start) }
      return (.name(name), start + 1)
    }
  }

  /// The error of an expression at a token.
  func failure(_ start: Int, _ detail: String) -> ODataError {
    .malformed(option, "At character \(start + 1): \(detail).")
  }

  private func peek(_ ahead: Int = 0) -> UInt8? {
    index + ahead < bytes.count ? bytes[index + ahead] : nil
  }

  /// Letters, digits, `_`, the `.` of qualified names and the `$` of `$it` and `$count`.
  private mutating func identifier() -> String {
    let start = index
    while let byte = peek() {
      let isLetter = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
      let isDigit = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
      guard
        isLetter || isDigit || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
          || byte == UInt8(ascii: "$")
      else { break }
      index += 1
    }
    return String(decoding: bytes[start..<index], as: UTF8.self)
  }

  /// `'…'`, in which two quotes stand for one.
  private mutating func string() throws(ODataError) -> String {
    let start = index
    index += 1
    var text: [UInt8] = []
    while let byte = peek() {
      index += 1
      if byte == UInt8(ascii: "'") {
        guard peek() == UInt8(ascii: "'") else { return String(decoding: text, as: UTF8.self) }
        index += 1
      }
      text.append(byte)
    }
    throw failure(start, "a string does not end (a quote inside is written twice)")
  }

  /// `duration'…'` and its like.
  private func prefixed(_ name: String, _ start: Int) throws(ODataError) -> ODataError {
    let known = ["duration", "binary", "geography", "geometry"]
    guard known.contains(name.lowercased()) else {
      return failure(
        start,
        "this is no literal of OData 4.0 (a time is written 2026-11-01T00:00:00Z, without quotes)"
      )
    }
    return .unsupported(option, "Literals of the type \(name.lowercased()) are not supported.")
  }

  /// A number or a time: everything up to what ends it.
  private mutating func number() throws(ODataError) -> ODataToken {
    let start = index
    while let byte = peek(), !Self.endsNumber.contains(byte) { index += 1 }
    // An offset's plus sign, typed as it is into an address, arrives as a space.
    if Self.isDateTime(bytes[start..<index]), peek() == UInt8(ascii: " "),
      Self.isOffset(bytes[index...].dropFirst())
    {
      index += 6
    }
    var text = String(decoding: bytes[start..<index], as: UTF8.self)
    if text.contains("-"), !text.hasPrefix("-"), !text.lowercased().contains("e") {
      text = text.replacing(" ", with: "+")
      // OData may leave the seconds out, RFC 3339 may not.
      if let time = Timestamp(rfc3339: text) ?? Timestamp(rfc3339: Self.withSeconds(text)) {
        return .time(time)
      }
      throw failure(start, "a time is written with a zone or an offset, as in 2026-11-01T00:00:00Z")
    }
    if let integer = Int64(text) { return .integer(integer) }
    if text.utf8.dropFirst().allSatisfy(Self.isDigit), text.utf8.last.map(Self.isDigit) == true {
      throw failure(start, "a number is out of the range of 64 bits")
    }
    if text.utf8.allSatisfy({ Self.decimal.contains($0) }), Double(text) != nil { return .decimal }
    throw failure(start, "this is no number and no time")
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  private static let endsNumber = Set(" \t(),/='*@".utf8)
  private static let decimal = Set("0123456789+-.eE".utf8)

  /// Whether it begins like `2026-11-01T00:00`.
  private static func isDateTime(_ text: ArraySlice<UInt8>) -> Bool {
    let text = Array(text)
    return text.count >= 16 && text[4] == UInt8(ascii: "-") && text[10] | 0x20 == UInt8(ascii: "t")
      && text[13] == UInt8(ascii: ":")
      && text.last.map { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } == true
  }

  /// Whether it begins like `01:00`.
  private static func isOffset(_ text: ArraySlice<UInt8>) -> Bool {
    let text = Array(text.prefix(5))
    let isDigit = text.map { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    return text.count == 5 && text[2] == UInt8(ascii: ":") && isDigit == [true, true, false, true, true]
  }

  /// `2026-11-01T00:00Z` → `2026-11-01T00:00:00Z`
  private static func withSeconds(_ text: String) -> String {
    guard text.utf8.count > 16 else { return text }
    return String(text.prefix(16)) + ":00" + String(text.dropFirst(16))
  }
}
