extension [UInt8] {
  /// Appends a constant piece of text.
  mutating func append(_ text: StaticString) {
    append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// Appends a whole number in decimal digits.
  mutating func append(decimal value: Int64) {
    var rest = value.magnitude
    let start = count
    repeat {
      append(UInt8(truncatingIfNeeded: rest % 10) + UInt8(ascii: "0"))
      rest /= 10
    } while rest > 0
    if value < 0 { append(UInt8(ascii: "-")) }
    self[start...].reverse()
  }

  /// Appends `text` as a JSON string with its quotes (RFC 8259 §7): escaped where that is a must, or, with
  /// `asciiOnly`, everything outside ASCII as `\uXXXX`, as Python's `json.dumps` does by default.
  mutating func append(jsonString text: String, asciiOnly: Bool) {
    append(UInt8(ascii: "\""))
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": append("\\\"")
      case "\\": append("\\\\")
      case "\n": append("\\n")
      case "\t": append("\\t")
      case "\u{0}"..."\u{1F}": append(escaped: UInt16(scalar.value))
      case _ where asciiOnly && !scalar.isASCII:
        for unit in scalar.utf16 { append(escaped: unit) }
      default: append(contentsOf: scalar.utf8)
      }
    }
    append(UInt8(ascii: "\""))
  }

  private mutating func append(escaped unit: UInt16) {
    append("\\u")
    for shift in [12, 8, 4, 0] {
      let digit = UInt8(truncatingIfNeeded: unit >> shift) & 0xF
      append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }
  }
}
