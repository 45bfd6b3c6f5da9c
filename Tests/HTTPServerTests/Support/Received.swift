import Threading

/// Text that another thread reads.
final class Received: Sendable {
  private let bytes = Lock<[UInt8]>([])
  var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }
  func add(_ piece: ArraySlice<UInt8>) { bytes.withLock { $0 += piece } }
}
