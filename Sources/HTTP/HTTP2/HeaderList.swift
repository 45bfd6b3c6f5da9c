import CNghttp2

/// A response's header section as nghttp2 takes it. nghttp2 copies it, and makes the names small.
struct HeaderList {
  let status: Status
  var fields = Fields()
  /// The date alone; empty: none is sent.
  var date: ArraySlice<UInt8> = []
  /// The length of the content, where the request says it.
  var length: Int?

  /// Calls `body` with the pairs, which point into the list's parts: nothing is allocated.
  func withPairs<Result>(_ body: (UnsafeBufferPointer<nghttp2_nv>) -> Result) -> Result {
    fields.bytes.withUnsafeBufferPointer { bytes in
      date.withUnsafeBufferPointer { date in
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 32) { digits in
          withUnsafeTemporaryAllocation(of: nghttp2_nv.self, capacity: fields.entries.count + 3) { pairs in
            let count = fill(pairs, bytes, date, digits)
            return body(UnsafeBufferPointer(rebasing: pairs[..<count]))
          }
        }
      }
    }
  }

  private func fill(
    _ pairs: UnsafeMutableBufferPointer<nghttp2_nv>,
    _ bytes: UnsafeBufferPointer<UInt8>,
    _ date: UnsafeBufferPointer<UInt8>,
    _ digits: UnsafeMutableBufferPointer<UInt8>
  ) -> Int {
    var count = 0
    func append(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) {
      pairs.initializeElement(at: count, to: nghttp2_nv(name, value))
      count += 1
    }
    append(
      Self.name(":status"),
      Self.decimal(status.rawValue, in: UnsafeMutableBufferPointer(rebasing: digits[..<3]))
    )
    if !date.isEmpty { append(Self.name("date"), date) }
    if let length {
      append(
        Self.name("content-length"),
        Self.decimal(length, in: UnsafeMutableBufferPointer(rebasing: digits[3...]))
      )
    }
    for entry in fields.entries where !fields.isFraming(entry) && !fields.isOfTheConnection(entry) {
      append(
        UnsafeBufferPointer(rebasing: bytes[entry.name]),
        UnsafeBufferPointer(rebasing: bytes[entry.value])
      )
    }
    return count
  }

  private static func name(_ name: StaticString) -> UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
  }

  /// The number's digits, at the buffer's end.
  private static func decimal(
    _ number: Int,
    in buffer: UnsafeMutableBufferPointer<UInt8>
  ) -> UnsafeBufferPointer<UInt8> {
    var start = buffer.count
    var rest = number
    repeat {
      start -= 1
      buffer[start] = UInt8(ascii: "0") + UInt8(rest % 10)
      rest /= 10
    } while rest > 0
    return UnsafeBufferPointer(rebasing: buffer[start...])
  }
}

extension nghttp2_nv {
  /// nghttp2 only reads; C has no way to say so here.
  fileprivate init(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) {
    self.init(
      name: UnsafeMutablePointer(mutating: name.baseAddress),
      value: UnsafeMutablePointer(mutating: value.baseAddress),
      namelen: name.count,
      valuelen: value.count,
      flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue)
    )
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
