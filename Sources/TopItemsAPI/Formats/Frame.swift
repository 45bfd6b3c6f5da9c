import HTTP

/// What every response of one request has in common: the fields around the body.
struct Frame: Sendable {
  private let start = ContinuousClock.now
  private let instance: String?
  private let ifNoneMatch: [String]
  /// Whether the client takes gzip.
  let acceptsGzip: Bool

  init() {
    instance = nil
    ifNoneMatch = []
    acceptsGzip = false
  }

  init(_ request: Request) {
    instance = String(request.target.rawPathAndQuery.prefix { $0 != "?" })
    ifNoneMatch = request.fields.values(of: "If-None-Match")
    acceptsGzip = AcceptEncoding.acceptsGzip(request.fields)
  }

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

  func response(_ error: APIError) -> Response {
    let problem = error.problem
    var fields = fields(contentType: "application/problem+json", cacheControl: "no-store")
    if !problem.allow.isEmpty { fields.append("Allow", Self.list(problem.allow)) }
    if let seconds = problem.retryAfter { fields.append("Retry-After", String(seconds)) }
    return Response(status: problem.status, fields: fields, body: problem.body(instance: instance))
  }

  func options(_ methods: [Method]) -> Response {
    var fields = fields(contentType: nil, cacheControl: "no-store")
    fields.append("Allow", Self.list(methods))
    return Response(status: .noContent, fields: fields)
  }

  func fields(
    contentType: String?,
    cacheControl: String,
    timings: [(name: String, duration: Duration)] = []
  ) -> Fields {
    var fields = Fields()
    if let contentType { fields.append("Content-Type", contentType) }
    fields.append("X-Content-Type-Options", "nosniff")
    fields.append("Cache-Control", cacheControl)
    fields.append("Vary", "Accept, Accept-Encoding, Authorization")
    let all = timings + [("total", ContinuousClock.now - start)]
    fields.append(
      "Server-Timing",
      all.map { "\($0.name);dur=\(Self.milliseconds($0.duration))" }.joined(separator: ", ")
    )
    return fields
  }

  static func list(_ methods: [Method]) -> String {
    methods.map(\.rawValue).joined(separator: ", ")
  }

  /// Milliseconds with three decimals, as `Server-Timing` wants them.
  private static func milliseconds(_ duration: Duration) -> String {
    let (seconds, attoseconds) = duration.components
    let microseconds = max(0, seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
    let fraction = String(microseconds % 1000)
    return "\(microseconds / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
  }
}
