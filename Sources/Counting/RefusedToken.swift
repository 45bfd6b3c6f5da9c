/// Finds the token for which simdjson refused a message, where its error has two meanings: a number that is
/// malformed or one too large, a bad escape or half a surrogate pair.
///
/// The message before that token is well-formed, as simdjson stops at the first error, so finding strings and numbers
/// takes no more than this. It is slower than the parse and runs for dead letters only.
struct RefusedToken {
  private let payload: UnsafeRawBufferPointer
  private var position = 0
  private var depth = 0
  /// The field whose value is being read, at the top level or somewhere inside.
  private var field: Event.Field?

  /// What is wrong with the first token that is; `invalidJSON` if none is.
  static func error(in payload: UnsafeRawBufferPointer) -> DecodeError {
    var token = RefusedToken(payload: payload)
    return token.firstError() ?? DecodeError(.invalidJSON)
  }

  private init(payload: UnsafeRawBufferPointer) {
    self.payload = payload
  }

  private mutating func firstError() -> DecodeError? {
    while position < payload.count {
      switch payload[position] {
      case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
      case UInt8(ascii: ",") where depth == 1: field = nil
      case UInt8(ascii: "\""):
        if let error = string() { return error }
        continue
      case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
        if let error = number() { return error }
        continue
      default: break
      }
      position += 1
    }
    return nil
  }

  /// Moves behind the string that starts here. At the top level it becomes the current field, if it is a field's
  /// name: a value may be one, too, but then the next name follows before the next value.
  private mutating func string() -> DecodeError? {
    position += 1
    let start = position
    while position < payload.count {
      switch payload[position] {
      case UInt8(ascii: "\""):
        if depth == 1, field == nil {
          field = Event.Field(rawValue: String(decoding: payload[start..<position], as: UTF8.self))
        }
        position += 1
        return nil
      case UInt8(ascii: "\\"):
        if let failure = escape() { return DecodeError(failure, field) }
      default: position += 1
      }
    }
    return nil
  }

  private mutating func escape() -> DecodeFailure? {
    guard position + 1 < payload.count else { return .invalidJSON }
    switch payload[position + 1] {
    case UInt8(ascii: "u"):
      guard let unit = codeUnit() else { return .invalidJSON }
      if UTF16.isTrailSurrogate(unit) { return .loneSurrogate }
      if UTF16.isLeadSurrogate(unit) {
        guard let trail = codeUnit(), UTF16.isTrailSurrogate(trail) else { return .loneSurrogate }
      }
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
      UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      position += 2
    default: return .invalidJSON
    }
    return nil
  }

  /// Moves behind a `\uXXXX`, if there is one.
  private mutating func codeUnit() -> UInt16? {
    guard
      payload.count - position >= 6, payload[position] == UInt8(ascii: "\\"),
      payload[position + 1] == UInt8(ascii: "u")
    else { return nil }
    let digits = payload[position + 2..<position + 6]
    // `UInt16(_:radix:)` also takes a sign.
    guard digits.first != UInt8(ascii: "+"),
      let unit = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
    else { return nil }
    position += 6
    return unit
  }

  /// Moves behind the number that starts here.
  private mutating func number() -> DecodeError? {
    let rest = payload[position...]
    let token = rest.prefix { byte in
      switch byte {
      case UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"), UInt8(ascii: ":"), UInt8(ascii: "\""),
        UInt8(ascii: "["), UInt8(ascii: "{"), 0...0x20:
        false
      default: true
      }
    }
    position = token.endIndex
    let text = String(decoding: token, as: UTF8.self)
    switch Self.kind(of: token) {
    case .malformed:
      return DecodeError(.invalidJSON)
    case .integer where Int64(text) == nil && UInt64(text) == nil:
      return DecodeError(field == .detectedAt ? .timestampOutOfRange : .numberOutOfRange, field)
    case .float where Double(text)?.isFinite != true:
      return DecodeError(.numberOutOfRange, field)
    case .integer, .float:
      return nil
    }
  }

  private enum NumberKind { case malformed, integer, float }

  /// RFC 8259 §6: `[ minus ] int [ frac ] [ exp ]`
  private static func kind(of token: Slice<UnsafeRawBufferPointer>) -> NumberKind {
    var rest = token
    func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") <= 9 }
    func digits() -> Int {
      let count = rest.prefix(while: isDigit).count
      rest = rest.dropFirst(count)
      return count
    }
    func take(_ characters: StaticString) -> Bool {
      guard let byte = rest.first else { return false }
      let taken = characters.withUTF8Buffer { $0.contains(byte) }
      if taken { rest = rest.dropFirst() }
      return taken
    }
    _ = take("-")
    let leadingZero = rest.first == UInt8(ascii: "0")
    let whole = digits()
    guard whole > 0, !(leadingZero && whole > 1) else { return .malformed }
    var kind = NumberKind.integer
    if take(".") {
      guard digits() > 0 else { return .malformed }
      kind = .float
    }
    if take("eE") {
      _ = take("+-")
      guard digits() > 0 else { return .malformed }
      kind = .float
    }
    return rest.isEmpty ? kind : .malformed
  }
}
