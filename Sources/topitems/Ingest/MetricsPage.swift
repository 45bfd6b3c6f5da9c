import HTTP
import Prometheus

extension Response {
  /// The refusal of a request that wants more than to read; nil for one that only reads.
  static func refusal(ofWriting request: Request) -> Response? {
    guard request.method != .get, request.method != .head else { return nil }
    var response = Response(status: .methodNotAllowed, text: "only GET and HEAD\n")
    response.fields.append("Allow", "GET, HEAD")
    return response
  }

  /// The page for Prometheus.
  static func metrics(_ request: Request, _ write: (inout Exposition) -> Void) -> Response {
    if let refusal = refusal(ofWriting: request) { return refusal }
    var page = Exposition()
    write(&page)
    return Response(status: .ok, text: page.text, contentType: Exposition.contentType)
  }
}
