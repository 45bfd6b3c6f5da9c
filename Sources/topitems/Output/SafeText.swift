/// Text from outside, made harmless for a terminal: what steers it (control characters) or misleads the eye (the
/// invisible, the direction-changing) is shown as an escape; everything else stands for itself.
enum SafeText {
  /// One line without anything that is not shown.
  static func line(_ text: String) -> String {
    var line = ""
    for scalar in text.unicodeScalars { append(scalar, to: &line) }
    return line
  }

  /// The same for bytes; those that are no UTF-8 become `\xHH`.
  static func line(_ bytes: [UInt8]) -> String {
    var line = ""
    var rest = bytes[...]
    while let byte = rest.first {
      // As many bytes as the first one announces are a character, or that one is not the beginning of any.
      let length = byte < 0x80 ? 1 : min(4, (~byte).leadingZeroBitCount)
      let text = String(validating: rest.prefix(length), as: UTF8.self)
      if let scalar = text?.unicodeScalars.first, text?.unicodeScalars.count == 1 {
        append(scalar, to: &line)
        rest = rest.dropFirst(length)
      } else {
        line += escape(byte)
        rest = rest.dropFirst()
      }
    }
    return line
  }

  /// Bytes as hexadecimal lines of sixteen, with what of them is printable ASCII.
  static func dump(_ bytes: [UInt8]) -> String {
    stride(from: 0, to: bytes.count, by: 16).map { start in
      let row = bytes[start..<min(start + 16, bytes.count)]
      let codes = row.map { hex($0, digits: 2) }.joined(separator: " ")
      let text = row.map { (0x20..<0x7F).contains($0) ? String(UnicodeScalar($0)) : "." }.joined()
      let padding = String(repeating: " ", count: 48 - codes.count)
      return "\(hex(start, digits: 8))  \(codes)\(padding) |\(text)|\n"
    }.joined()
  }

  /// How many columns the text takes, about: wide and combining characters are guessed by their block.
  static func width(_ text: String) -> Int {
    text.unicodeScalars.reduce(0) { width, scalar in
      switch scalar.properties.generalCategory {
      case .nonspacingMark, .enclosingMark: width
      default:
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
          0xFF00...0xFF60, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
          width + 2
        default: width + 1
        }
      }
    }
  }

  /// The text's beginning, at most so many columns wide; a cut is marked.
  static func clipped(_ text: String, to columns: Int) -> String {
    if width(text) <= columns { return text }
    var clipped = ""
    for character in text {
      guard width(clipped) + width(String(character)) < columns else { break }
      clipped.append(character)
    }
    return clipped + "…"
  }

  private static func append(_ scalar: Unicode.Scalar, to line: inout String) {
    switch scalar.properties.generalCategory {
    case .control where scalar.value < 0x80:
      switch scalar {
      case "\n": line += "\\n"
      case "\r": line += "\\r"
      case "\t": line += "\\t"
      default: line += escape(UInt8(truncatingIfNeeded: scalar.value))
      }
    case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned, .surrogate:
      line += "\\u{\(String(scalar.value, radix: 16))}"
    case .spaceSeparator where scalar != " ":
      line += "\\u{\(String(scalar.value, radix: 16))}"
    default:
      // So that what looks like an escape is one.
      line += scalar == "\\" ? "\\\\" : String(scalar)
    }
  }

  private static func escape(_ byte: UInt8) -> String { "\\x" + hex(byte, digits: 2) }

  private static func hex(_ number: some BinaryInteger, digits: Int) -> String {
    let text = String(number, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
  }
}
