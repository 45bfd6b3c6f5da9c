/// The head of a response of HTTP/1.1, encoded as far as it is the same each time: all but Date and Connection.
struct PreparedHead: Sendable {
  /// Status line, fields and `Content-Length`, each with its CRLF.
  let bytes: [UInt8]
  /// Whether the fields ask for the connection to be closed.
  let closesConnection: Bool

  init(_ response: Response) {
    var bytes: [UInt8] = []
    ResponseEncoder.appendConstant(of: response, .length(response.body.count), to: &bytes)
    self.bytes = bytes
    closesConnection = response.fieldsCloseConnection
  }
}
