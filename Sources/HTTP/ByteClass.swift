/// What a byte may be part of, by the grammars of RFC 9110 §5.6 and RFC 3986 §2 and §3.3: one table look-up a byte.
struct ByteClass: OptionSet {
  let rawValue: UInt8

  /// `tchar`: field names and methods (RFC 9110 §5.6.2).
  static let token = ByteClass(rawValue: 1 << 0)
  /// `pchar` without "%", and "/": what a path may hold as it is (RFC 3986 §3.3).
  static let path = ByteClass(rawValue: 1 << 1)
  /// Visible ASCII but "#". RFC 3986 allows less in a query, but browsers send `{|}[]^` and more as they are.
  static let query = ByteClass(rawValue: 1 << 2)
  /// unreserved and sub-delims: a registered name without "%" (RFC 3986 §3.2.2).
  static let host = ByteClass(rawValue: 1 << 3)
  static let hexadecimal = ByteClass(rawValue: 1 << 4)
  static let digit = ByteClass(rawValue: 1 << 5)

  @inline(__always)
  static func of(_ byte: UInt8) -> ByteClass { ByteClass(rawValue: table[Int(byte)]) }

  /// Written out, so that it is part of the program and nothing must be checked before it is read; a test compares it
  /// with the grammars.
  private static let table: [UInt8] = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 15, 4, 1, 15, 5, 15, 15, 14, 14, 15, 15, 14, 15, 15, 6,
    63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 6, 14, 4, 14, 4, 4,
    6, 31, 31, 31, 31, 31, 31, 15, 15, 15, 15, 15, 15, 15, 15, 15,
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 4, 4, 4, 5, 15,
    5, 31, 31, 31, 31, 31, 31, 15, 15, 15, 15, 15, 15, 15, 15, 15,
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 4, 5, 4, 15, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  ]
}

/// The value of a hexadecimal digit, or nil.
@inline(__always)
func hexadecimalValue(_ byte: UInt8) -> UInt8? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
  default: nil
  }
}
