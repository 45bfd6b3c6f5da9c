import Sockets
import TestSupport
import Testing

/// What curl makes of a server.
struct Curl {
  let status: Int
  /// 1.1 or 2.
  let version: String
  /// Both 0 when curl is content.
  let exitStatus: Int32
  let bodyBytes: Int
  /// The body, and what curl has to say.
  let output: String

  init(_ address: SocketAddress, _ path: String, _ options: [String]) throws {
    let isEncrypted = options.contains("--cacert")
    let url = "\(isEncrypted ? "https" : "http")://localhost:\(address.port)\(path)"
    let tool = try Tool(
      [
        "curl", "--silent", "--show-error", "--max-time", "20", "--write-out",
        "\n%{http_code} %{http_version} %{size_download}",
      ]
        + options + [url]
    )
    try #require(tool.status != 127, "apt-get install curl")
    let words = tool.output.split(separator: "\n").last?.split(separator: " ") ?? []
    exitStatus = tool.status
    status = words.count == 3 ? Int(words[0]) ?? 0 : 0
    version = words.count == 3 ? String(words[1]) : ""
    bodyBytes = words.count == 3 ? Int(words[2]) ?? 0 : 0
    output = tool.output
  }
}
