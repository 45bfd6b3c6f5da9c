/// Percent-decoding (RFC 3986 §2.1), done once and strictly.
enum PercentDecoding {
  /// A decoded path. Throws a 400 for all that would let one resource have two names: see `Target`.
  static func path(_ bytes: ArraySlice<UInt8>) throws(ProtocolError) -> String {
    var decoded: [UInt8] = []
    decoded.reserveCapacity(bytes.count)
    var segmentStart = 0
    var index = bytes.startIndex
    while index < bytes.endIndex {
      var byte = bytes[index]
      index += 1
      if byte == UInt8(ascii: "%") {
        guard let value = pair(bytes, at: index) else {
          throw .bad("the path has a malformed percent-encoding")
        }
        guard value != UInt8(ascii: "/"), value != UInt8(ascii: "\\"), value >= 0x20, value != 0x7F else {
          throw .bad("the path has an encoded slash, backslash or control character")
        }
        byte = value
        index += 2
      } else if byte == UInt8(ascii: "/"), !decoded.isEmpty {
        try check(segment: decoded[segmentStart...], isLast: false)
        segmentStart = decoded.count + 1
      } else if byte == UInt8(ascii: "/") {
        segmentStart = 1
      }
      decoded.append(byte)
    }
    try check(segment: decoded[segmentStart...], isLast: true)
    guard let text = String(validating: decoded, as: UTF8.self) else { throw .bad("the path is not UTF-8") }
    return text
  }

  /// A name or value of a query, "+" being a space; nil if it is malformed, holds a NUL or is not UTF-8.
  static func queryComponent(_ bytes: ArraySlice<UInt8>) -> String? {
    var decoded: [UInt8] = []
    decoded.reserveCapacity(bytes.count)
    var index = bytes.startIndex
    while index < bytes.endIndex {
      var byte = bytes[index]
      index += 1
      if byte == UInt8(ascii: "%") {
        guard let value = pair(bytes, at: index), value != 0 else { return nil }
        byte = value
        index += 2
      } else if byte == UInt8(ascii: "+") {
        byte = 0x20
      }
      decoded.append(byte)
    }
    return String(validating: decoded, as: UTF8.self)
  }

  private static func check(segment: ArraySlice<UInt8>, isLast: Bool) throws(ProtocolError) {
    if segment.elementsEqual(".".utf8) || segment.elementsEqual("..".utf8) {
      throw .bad("the path has a dot segment")
    }
    if segment.isEmpty, !isLast { throw .bad("the path has an empty segment") }
  }

  private static func pair(_ bytes: ArraySlice<UInt8>, at index: Int) -> UInt8? {
    guard index + 1 < bytes.endIndex, let high = hexadecimalValue(bytes[index]),
      let low = hexadecimalValue(bytes[index + 1])
    else { return nil }
    return high << 4 | low
  }
}
