import APICore
import HTTP

/// One address of the API. Every one takes GET, HEAD and OPTIONS.
struct Route: Sendable {
  /// Makes the reply to a request whose parameters are right.
  typealias Handler = () throws(APIError) -> Reply

  /// Reads all parameters that the address takes; what it returns is called if they are right.
  var read: @Sendable (inout ParameterReader, RequestContext) -> Handler

  init(_ read: @escaping @Sendable (inout ParameterReader, RequestContext) -> Handler) {
    self.read = read
  }

  /// Answers a request.
  ///
  /// - Throws: what is wrong with the parameters, or with the request besides.
  func reply(_ context: RequestContext) throws(APIError) -> Reply {
    var parameters = ParameterReader(context.items)
    let answer = read(&parameters, context)
    try parameters.check()
    return try answer()
  }
}
