import APICore
import Compression
import HTTP

/// The body of a response on its way to the client: gathered into pieces, and begun with the first one. Until then the
/// answer may still become an error.
struct ODataOutput {
  private let stream: ResponseStream
  private let frame: ODataFrame
  private let contentType: String
  /// Reported as the preference that was applied.
  var pageSize: Int?
  private var piece: [UInt8] = []
  private var hasBegun = false
  private var gzip: GzipEncoder?

  init(_ stream: ResponseStream, _ frame: ODataFrame, contentType: String) {
    self.stream = stream
    self.frame = frame
    self.contentType = contentType
  }

  /// The bytes that wait.
  var size: Int { piece.count }

  mutating func append(_ bytes: [UInt8]) { piece += bytes }

  /// Sends what waits.
  mutating func flush() throws(StreamBroken) { try send(isLast: false) }

  /// Sends what waits, and ends the response.
  mutating func finish() throws(StreamBroken) { try send(isLast: true) }

  private mutating func send(isLast: Bool) throws(StreamBroken) {
    var head: Response?
    if !hasBegun {
      head = frame.head(contentType, pageSize: pageSize)
      if frame.acceptsGzip, piece.count >= ContentCoding.smallestBody {
        gzip = GzipEncoder()
        head?.fields.append("Content-Encoding", "gzip")
      }
    }
    if let gzip {
      var coded: [UInt8] = []
      gzip.encode(piece, to: &coded)
      if isLast { gzip.finish(to: &coded) }
      piece = coded
    }
    if var head {
      hasBegun = true
      head.body = piece
      try stream.begin(head)
    } else {
      try stream.write(piece)
    }
    piece.removeAll(keepingCapacity: true)
  }

  /// The error instead of the response, or a broken connection where that has begun: no cut response looks whole.
  mutating func fail(_ error: ODataError) throws(StreamBroken) {
    guard !hasBegun else { throw .failed }
    hasBegun = true
    try stream.begin(frame.response(error))
  }
}
