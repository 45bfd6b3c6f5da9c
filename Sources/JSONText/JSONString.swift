/// Strings of JSON in printable ASCII, for what terminals, pipes and log collectors read line by line.
package enum JSONString {
  /// The inside of a string, without its quotes (RFC 8259 §7): what could end the string or the line, or is not
  /// printable ASCII, is escaped.
  package static func ascii(_ text: String) -> String {
    if text.utf8.allSatisfy(isPlain) { return text }
    var bytes: [UInt8] = []
    append(text, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Appends the same to bytes.
  package static func append(_ text: String, to bytes: inout [UInt8]) {
    bytes.reserveCapacity(bytes.count + text.utf8.count)
    for unit in text.utf16 {
      switch unit {
      case 0x22, 0x5C: bytes += [UInt8(ascii: "\\"), UInt8(unit)]
      case 0x0A: bytes += "\\n".utf8
      case 0x09: bytes += "\\t".utf8
      case 0x20..<0x7F: bytes.append(UInt8(unit))
      default:
        bytes += "\\u".utf8
        appendHex(unit, to: &bytes)
      }
    }
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    (0x20..<0x7F).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
  }

  /// Appends four hexadecimal digits, as `\u` wants them.
  static func appendHex(_ unit: UInt16, to bytes: inout [UInt8]) {
    for shift: UInt16 in [12, 8, 4, 0] {
      let digit = UInt8((unit >> shift) & 0xF)
      bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }
  }
}
