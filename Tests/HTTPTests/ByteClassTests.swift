import Testing

@testable import HTTP

@Suite("what a byte may be part of")
struct ByteClassTests {
  @Test("is what the grammars say")
  func table() {
    for byte in UInt8.min...UInt8.max { #expect(ByteClass.of(byte) == classify(byte), "\(byte)") }
  }

  private func classify(_ byte: UInt8) -> ByteClass {
    var classes: ByteClass = []
    let isDigit = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    let lower = byte | 0x20
    let isLetter = byte < 0x80 && (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(lower) && byte >= 0x41
    let isUnreserved = isDigit || isLetter || "-._~".utf8.contains(byte)
    let isSubDelimiter = "!$&'()*+,;=".utf8.contains(byte)
    if isDigit { classes.insert([.digit, .hexadecimal]) }
    if isLetter, lower <= UInt8(ascii: "f") { classes.insert(.hexadecimal) }
    if isDigit || isLetter || "!#$%&'*+-.^_`|~".utf8.contains(byte) { classes.insert(.token) }
    if isUnreserved || isSubDelimiter { classes.insert([.path, .host]) }
    if ":@/".utf8.contains(byte) { classes.insert(.path) }
    if (0x21...0x7E).contains(byte), byte != UInt8(ascii: "#") { classes.insert(.query) }
    return classes
  }
}
