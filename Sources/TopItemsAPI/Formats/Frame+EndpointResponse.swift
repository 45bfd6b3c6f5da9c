import APICore
import HTTP

extension Frame {
  /// 200, as gzip if the client takes it, or 304 if it has this body already. Compressing takes a moment, which an
  /// event loop does not have for a long body.
  func response(_ answer: EndpointResponse) -> Response {
    let plain = plainResponse(answer)
    return acceptsGzip ? ContentCoding.gzip(plain) ?? plain : plain
  }

  private func plainResponse(_ answer: EndpointResponse) -> Response {
    guard answer.isRevalidated else {
      return Response(
        status: .ok,
        fields: fields(contentType: answer.contentType, cacheControl: "no-store", timings: answer.timings),
        body: answer.body
      )
    }
    let tag = EntityTag(of: answer.body)
    let isKnown = ifNoneMatch.contains { tag.isNamed(by: $0) }
    var fields = fields(
      contentType: isKnown ? nil : answer.contentType,
      cacheControl: "private, no-cache",
      timings: answer.timings
    )
    fields.append("ETag", tag.text)
    return Response(status: isKnown ? .notModified : .ok, fields: fields, body: isKnown ? [] : answer.body)
  }

  /// The head of a response in pieces: it has no entity tag, as its content is not known yet.
  func pieces(contentType: String) -> Response {
    var fields = fields(contentType: contentType, cacheControl: "private, no-cache")
    if acceptsGzip { fields.append("Content-Encoding", "gzip") }
    return Response(status: .ok, fields: fields)
  }

  /// Status and fields of a stream of Server-Sent Events.
  func eventStream() -> Response {
    var fields = fields(contentType: "text/event-stream", cacheControl: "no-store")
    // nginx would hold events back otherwise.
    fields.append("X-Accel-Buffering", "no")
    return Response(status: .ok, fields: fields)
  }
}
