/// Why a request cannot be served at the level of the protocol: what the client receives before the connection closes.
public struct ProtocolError: Error, Sendable, Hashable {
  /// The status of the response.
  public var status: Status
  /// One clause for people, safe to send: it never repeats bytes of the request.
  public var detail: String

  /// An error with the status to answer and a clause that says why.
  public init(_ status: Status, _ detail: String) {
    self.status = status
    self.detail = detail
  }

  static func bad(_ detail: String) -> ProtocolError { ProtocolError(.badRequest, detail) }
}
