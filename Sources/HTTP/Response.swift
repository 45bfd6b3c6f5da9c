/// A whole response.
///
/// The encoder adds `Content-Length`, `Date` and `Connection`; a handler does not set the first two, and sets
/// `Connection: close` only to have the connection closed after this response.
public struct Response: Sendable, Equatable {
  /// What became of the request.
  public var status: Status { didSet { head = nil } }
  /// The header section.
  public var fields: Fields { didSet { head = nil } }
  /// The content. For HEAD it is counted, not sent.
  public var body: [UInt8] { didSet { head = nil } }
  /// What `prepared` has made.
  private(set) var head: PreparedHead?

  /// A response; the body may be empty.
  public init(status: Status, fields: Fields = [:], body: [UInt8] = []) {
    self.status = status
    self.fields = fields
    self.body = body
    head = nil
  }

  /// This response with its head encoded, once for the many times that it is sent over HTTP/1.1. A change undoes it.
  public func prepared() -> Response {
    var response = self
    response.head = PreparedHead(self)
    return response
  }

  /// The same status, fields and body.
  public static func == (left: Response, right: Response) -> Bool {
    left.status == right.status && left.fields == right.fields && left.body == right.body
  }

  /// A response with text as its body, sent as UTF-8.
  public init(
    status: Status,
    fields: Fields = [:],
    text: String,
    contentType: String = "text/plain; charset=utf-8"
  ) {
    self.init(status: status, fields: fields, body: Array(text.utf8))
    self.fields.set("Content-Type", contentType)
  }
}
