import Glibc

/// What an item may be called: 1 to 5,000 Unicode scalars, none of them U+0000, which PostgreSQL's text cannot hold.
public enum ItemName {
  /// The most Unicode scalars in a name.
  public static let maximumScalars = 5_000

  /// Why these bytes of well-formed UTF-8 are no item name; `nil` if they are one.
  public static func refusal(of utf8: UnsafeRawBufferPointer) -> DecodeFailure? {
    guard let start = utf8.baseAddress, !utf8.isEmpty else { return .emptyItemName }
    if isTooLong(utf8) { return .itemNameTooLong }
    return memchr(start, 0, utf8.count) == nil ? nil : .nulInItemName
  }

  private static func isTooLong(_ utf8: UnsafeRawBufferPointer) -> Bool {
    // A scalar has one to four bytes, so most names need no counting.
    if utf8.count <= maximumScalars { return false }
    if utf8.count > 4 * maximumScalars { return true }
    // Every byte but a continuation byte (0b10xx_xxxx) starts a scalar.
    let scalars = utf8.reduce(into: 0) { count, byte in
      if byte & 0b1100_0000 != 0b1000_0000 { count += 1 }
    }
    return scalars > maximumScalars
  }
}
