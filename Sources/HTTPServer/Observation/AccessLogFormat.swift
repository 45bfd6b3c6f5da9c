import HTTP
import Sockets

/// How an access log's lines look.
public enum AccessLogFormat: String, Sendable, CaseIterable {
  /// The Common Log Format of the NCSA server, which most tools read:
  /// `127.0.0.1 - - [06/Nov/1994:08:49:37 +0000] "GET /x HTTP/1.1" 200 13`.
  case common
  /// One JSON object a line.
  case json

  /// The line, without its line feed.
  ///
  /// - Parameter second: when the response was complete, since 1970-01-01T00:00:00Z.
  public func line(_ request: CompletedRequest, second: Int64) -> String {
    switch self {
    case .common: Self.common(request, CivilTime(second: second))
    case .json: Self.json(request, CivilTime(second: second))
    }
  }

  private static func common(_ request: CompletedRequest, _ time: CivilTime) -> String {
    let date = "\(two(time.day))/\(time.monthName)/\(time.year):\(clock(time)) +0000"
    let line =
      if let method = request.method, let target = request.target {
        "\(method.rawValue) \(escaped(target)) \(request.version.name)"
      } else {
        "-"
      }
    return "\(host(request)) - - [\(date)] \"\(line)\" \(request.status.rawValue) \(request.bodyBytes)"
  }

  private static func json(_ request: CompletedRequest, _ time: CivilTime) -> String {
    var line = "{\"time\":\"\(time.year)-\(two(time.month))-\(two(time.day))T\(clock(time))Z\""
    line += ",\"peer\":\"\(host(request))\""
    if let method = request.method { line += ",\"method\":\"\(method.rawValue)\"" }
    if let target = request.target { line += ",\"target\":\"\(escaped(target))\"" }
    line += ",\"version\":\"\(request.version.name)\",\"route\":\"\(escaped(request.route))\""
    line += ",\"status\":\(request.status.rawValue),\"bytes\":\(request.bodyBytes)"
    line += ",\"seconds\":\(request.duration / .seconds(1))"
    if !request.isComplete { line += ",\"complete\":false" }
    if let agent = request.userAgent { line += ",\"user_agent\":\"\(escaped(agent))\"" }
    return line + "}"
  }

  private static func host(_ request: CompletedRequest) -> String {
    let text = request.peer.description
    let name = text.prefix { $0 != "]" }
    return text.hasPrefix("[") ? String(name.dropFirst()) : String(text.prefix { $0 != ":" })
  }

  private static func clock(_ time: CivilTime) -> String {
    "\(two(time.hour)):\(two(time.minute)):\(two(time.second))"
  }

  private static func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }

  /// What could end the string or the line, or is no printable ASCII, as JSON escapes it (RFC 8259 §7).
  private static func escaped(_ text: String) -> String {
    var result = ""
    for unit in text.utf16 {
      switch unit {
      case 0x22: result += "\\\""
      case 0x5C: result += "\\\\"
      case 0x20..<0x7F: result.unicodeScalars.append(Unicode.Scalar(UInt8(unit)))
      default:
        let digits = String(unit, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      }
    }
    return result
  }
}
