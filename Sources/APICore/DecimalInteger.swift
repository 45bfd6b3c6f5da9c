/// A decimal integer in its one canonical spelling: no plus sign, no leading zeros, no `-0`.
package enum DecimalInteger {
  /// The number; nil for any other spelling, or one of more than 64 bits.
  package static func parse(_ text: some StringProtocol) -> Int64? {
    let digits = text.utf8.first == UInt8(ascii: "-") ? text.utf8.dropFirst() : text.utf8[...]
    guard digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
    guard digits.first != UInt8(ascii: "0") || text == "0" else { return nil }
    return Int64(text)
  }
}
