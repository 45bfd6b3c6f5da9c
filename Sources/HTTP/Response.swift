/// A whole response.
///
/// The encoder adds `Content-Length`, `Date` and `Connection`; a handler does not set the first two, and sets
/// `Connection: close` only to have the connection closed after this answer.
public struct Response: Sendable, Equatable {
  /// What became of the request.
  public var status: Status
  /// The header section.
  public var fields: Fields
  /// The content. For HEAD it is counted, not sent.
  public var body: [UInt8]

  /// A response; the body may be empty.
  public init(status: Status, fields: Fields = [:], body: [UInt8] = []) {
    self.status = status
    self.fields = fields
    self.body = body
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
