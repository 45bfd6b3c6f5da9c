import Counting
import Glibc
import Logging

/// One JSON object a line: `time`, `level`, `logger`, `message`, and the metadata by its names.
struct JSONLogHandler: LogHandler {
  let label: String
  var logLevel = Logger.Level.info
  var metadata: Logger.Metadata = [:]

  init(label: String) { self.label = label }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    let now = Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    var line = "{\"time\":\"\(now.rfc3339)\",\"level\":\"\(event.level)\",\"logger\":\(Self.quote(label))"
    line += ",\"message\":\(Self.quote("\(event.message)"))"
    let all = metadata.merging(event.metadata ?? [:]) { $1 }
    for (name, value) in all.sorted(by: { $0.key < $1.key }) {
      line += ",\(Self.quote(name)):\(Self.quote("\(value)"))"
    }
    StandardError.write(line + "}")
  }

  /// A JSON string; what is no printable ASCII or could end a line is escaped (RFC 8259 §7).
  private static func quote(_ text: String) -> String {
    var quoted = "\""
    for unit in text.utf16 {
      switch unit {
      case 0x22: quoted += "\\\""
      case 0x5C: quoted += "\\\\"
      case 0x20..<0x7F: quoted.unicodeScalars.append(Unicode.Scalar(UInt8(unit)))
      default:
        let hex = String(unit, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      }
    }
    return quoted + "\""
  }
}
