import CNghttp2

/// A response's header section as nghttp2 takes it; nghttp2 copies it, and makes the names small.
struct HeaderList {
  private var bytes: [UInt8] = []
  private var entries: [Fields.Entry] = []

  init(status: Status) {
    append(":status", String(status.rawValue).utf8)
  }

  init(_ response: Response, date: DateField, length: Int?) {
    let fields = response.fields
    bytes.reserveCapacity(fields.bytes.count + 96)
    entries.reserveCapacity(fields.entries.count + 3)
    append(":status", String(response.status.rawValue).utf8)
    append("date", date.value)
    if let length { append("content-length", String(length).utf8) }
    for entry in fields.entries where !fields.isFraming(entry) && !fields.isOfTheConnection(entry) {
      let start = bytes.count
      bytes.append(contentsOf: fields.bytes[entry.name])
      let middle = bytes.count
      bytes.append(contentsOf: fields.bytes[entry.value])
      entries.append(Fields.Entry(name: start..<middle, value: middle..<bytes.count))
    }
  }

  private mutating func append(_ name: StaticString, _ value: some Collection<UInt8>) {
    let start = bytes.count
    bytes.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
    let middle = bytes.count
    bytes.append(contentsOf: value)
    entries.append(Fields.Entry(name: start..<middle, value: middle..<bytes.count))
  }

  func withPairs<Result>(_ body: (UnsafeBufferPointer<nghttp2_nv>) -> Result) -> Result {
    bytes.withUnsafeBufferPointer { bytes in
      withUnsafeTemporaryAllocation(of: nghttp2_nv.self, capacity: entries.count) { pairs in
        // nghttp2 only reads; C has no way to say so here.
        let start = UnsafeMutablePointer(mutating: bytes.baseAddress)
        for (index, entry) in entries.enumerated() {
          pairs.initializeElement(
            at: index,
            to: nghttp2_nv(
              name: start?.advanced(by: entry.name.lowerBound),
              value: start?.advanced(by: entry.value.lowerBound),
              namelen: entry.name.count,
              valuelen: entry.value.count,
              flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue)
            )
          )
        }
        return body(UnsafeBufferPointer(pairs))
      }
    }
  }
}

extension Fields {
  /// Fields about an HTTP/1.1 connection, which a client of HTTP/2 must refuse (RFC 9113 §8.2.2), besides those of
  /// `isFraming`.
  fileprivate func isOfTheConnection(_ entry: Entry) -> Bool {
    switch entry.name.count {
    case 7: equalsIgnoringCase(bytes[entry.name], "upgrade")
    case 10: equalsIgnoringCase(bytes[entry.name], "keep-alive")
    case 16: equalsIgnoringCase(bytes[entry.name], "proxy-connection")
    default: false
    }
  }
}
