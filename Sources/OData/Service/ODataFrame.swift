import APICore
import HTTP
import JSONText

/// What every response of the service has in common: the fields around the body.
struct ODataFrame: Sendable {
  private let frame: Frame
  /// Whether the client takes gzip.
  let acceptsGzip: Bool

  init(_ request: Request) {
    frame = Frame(request)
    acceptsGzip = AcceptEncoding.acceptsGzip(request.fields)
  }

  /// A whole response.
  func response(_ body: [UInt8], _ contentType: String) -> Response {
    let response = Response(status: .ok, fields: fields(contentType), body: body)
    return acceptsGzip ? ContentCoding.gzip(response) ?? response : response
  }

  /// Status and fields of a response in pieces.
  func head(_ contentType: String, pageSize: Int?) -> Response {
    var fields = fields(contentType)
    if let pageSize { fields.append("Preference-Applied", "odata.maxpagesize=\(pageSize)") }
    return Response(status: .ok, fields: fields)
  }

  /// A value that is null.
  func nothing() -> Response { Response(status: .noContent, fields: fields(nil)) }

  func response(_ error: ODataError) -> Response {
    let problem = error.problem
    var fields = fields("application/json;odata.metadata=minimal", cacheControl: "no-store")
    if !problem.allow.isEmpty { fields.append("Allow", Frame.list(problem.allow)) }
    if let seconds = problem.retryAfter { fields.append("Retry-After", String(seconds)) }
    return Response(status: problem.status, fields: fields, body: error.body)
  }

  func options(_ methods: [Method]) -> Response {
    var response = frame.options(methods)
    response.fields.append("OData-Version", "4.0")
    return response
  }

  private func fields(_ contentType: String?, cacheControl: String = "private, no-cache") -> Fields {
    var fields = frame.fields(contentType: contentType, cacheControl: cacheControl)
    fields.append("OData-Version", "4.0")
    return fields
  }
}
