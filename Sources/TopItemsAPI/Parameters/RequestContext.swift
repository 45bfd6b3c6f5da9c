import HTTP

/// What a route is asked: the parameters, all of them known, and what else of the request answers depend on.
struct RequestContext: Sendable {
  var parameters: Parameters
  /// The `Accept` field.
  var accept: String?
  /// Scheme, host and base path for links.
  var origin: String
  /// The path as it was sent.
  var path: String

  /// Where the next page is.
  func link(cursor: Cursor) -> String {
    let items = parameters.items.filter { $0.name != "cursor" } + [(name: "cursor", value: cursor.text)]
    let encoded = items.map { "\(Self.encoded($0.name))=\(Self.encoded($0.value))" }
    return "\(origin)\(path)?\(encoded.joined(separator: "&"))"
  }

  /// Everything but unreserved characters (RFC 3986 §2.3) is percent-encoded.
  private static func encoded(_ text: String) -> String {
    var bytes: [UInt8] = []
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        bytes.append(byte)
      default:
        bytes.append(UInt8(ascii: "%"))
        for digit in [byte >> 4, byte & 0xF] {
          bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "A") + digit - 10)
        }
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
