import HTTP

/// An answer of any length. It is held back until it is too long for that; one that stays shorter is an answer like any
/// other, with its length and an entity tag.
struct AnswerPieces {
  /// What is held back, in bytes.
  static let limit = 256 * 1024
  /// How much is best written at once, in bytes.
  static let pieceLength = 32 * 1024

  private let stream: ResponseStream
  private let head: (_ contentType: String) -> Response
  private var contentType = "application/json"
  private var held: [UInt8] = []
  /// Whether something was sent, after which no other answer is possible.
  private(set) var hasBegun = false

  init(stream: ResponseStream, head: @escaping (_ contentType: String) -> Response) {
    self.stream = stream
    self.head = head
  }

  /// To be called first.
  mutating func begin(contentType: String) {
    self.contentType = contentType
  }

  mutating func write(_ piece: [UInt8]) throws(StreamBroken) {
    guard !hasBegun else { return try stream.write(piece) }
    held += piece
    guard held.count > Self.limit else { return }
    hasBegun = true
    try stream.begin(head(contentType))
    try stream.write(held)
    held = []
  }

  /// The whole answer, unless it has been sent.
  func whole() -> Answer? {
    hasBegun ? nil : Answer(body: held, contentType: contentType, isRevalidated: true)
  }
}
