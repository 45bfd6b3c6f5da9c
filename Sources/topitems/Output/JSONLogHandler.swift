import Counting
import Glibc
import JSONText
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

  private static func quote(_ text: String) -> String { "\"\(JSONString.ascii(text))\"" }
}
