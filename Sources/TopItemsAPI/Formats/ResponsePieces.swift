import Compression
import HTTP
import JSONText

/// A response of any length. It is held back until it is too long for that; one that stays shorter is a response like
/// any other, with its length and an entity tag.
struct ResponsePieces {
  /// What is held back, in bytes.
  static let limit = 256 * 1024
  /// How much is best written at once, in bytes.
  static let pieceLength = 32 * 1024

  private let stream: ResponseStream
  private let head: (_ contentType: String) -> Response
  private var contentType = "application/json"
  private var held: [UInt8] = []
  private let isCompressed: Bool
  private var gzip: GzipEncoder?
  /// Whether something was sent, after which no other response is possible.
  private(set) var hasBegun = false

  /// - Parameter isCompressed: whether pieces are sent as gzip, as `head` then says.
  init(stream: ResponseStream, isCompressed: Bool, head: @escaping (_ contentType: String) -> Response) {
    self.stream = stream
    self.isCompressed = isCompressed
    self.head = head
  }

  /// To be called first.
  mutating func begin(contentType: String) {
    self.contentType = contentType
  }

  mutating func write(_ piece: [UInt8]) throws(StreamBroken) {
    guard !hasBegun else { return try send(piece) }
    held += piece
    guard held.count > Self.limit else { return }
    hasBegun = true
    if isCompressed { gzip = GzipEncoder() }
    try stream.begin(head(contentType))
    try send(held)
    held = []
  }

  /// To be called last.
  ///
  /// - Returns: the whole response, unless it has been sent.
  func finish() throws(StreamBroken) -> EndpointResponse? {
    guard hasBegun else { return EndpointResponse(body: held, contentType: contentType, isRevalidated: true) }
    guard let gzip else { return nil }
    var end: [UInt8] = []
    gzip.finish(to: &end)
    try stream.write(end)
    return nil
  }

  private func send(_ piece: [UInt8]) throws(StreamBroken) {
    guard let gzip else { return try stream.write(piece) }
    var coded: [UInt8] = []
    gzip.encode(piece, to: &coded)
    try stream.write(coded)
  }
}
