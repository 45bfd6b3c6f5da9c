import HTTP
import JSONText
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
        "\(method.rawValue) \(JSONString.ascii(target)) \(request.version.name)"
      } else {
        "-"
      }
    return "\(host(request)) - - [\(date)] \"\(line)\" \(request.status.rawValue) \(request.bodyBytes)"
  }

  private static func json(_ request: CompletedRequest, _ time: CivilTime) -> String {
    var line = "{\"time\":\"\(time.year)-\(two(time.month))-\(two(time.day))T\(clock(time))Z\""
    line += ",\"peer\":\"\(host(request))\""
    if let method = request.method { line += ",\"method\":\"\(method.rawValue)\"" }
    if let target = request.target { line += ",\"target\":\"\(JSONString.ascii(target))\"" }
    line += ",\"version\":\"\(request.version.name)\",\"route\":\"\(JSONString.ascii(request.route))\""
    line += ",\"status\":\(request.status.rawValue),\"bytes\":\(request.bodyBytes)"
    line += ",\"seconds\":\(request.duration / .seconds(1))"
    if !request.isComplete { line += ",\"complete\":false" }
    if let agent = request.userAgent { line += ",\"user_agent\":\"\(JSONString.ascii(agent))\"" }
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
}
